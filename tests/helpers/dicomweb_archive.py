"""An archive on loopback with one study of one image, whose answers a test replaces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmread

from benchmarks.faults import answers
from benchmarks.faults.answers import PART, PART_HEAD, PART_TAIL, Answer, item, listing
from data_prep.phantom_dicom import write_ct_series

STUDY, SERIES = "1.2.3", "1.2.3.4"


def one_image(folder: Path) -> bytes:
    """A DICOM file of the study, made in an empty folder."""
    write_ct_series(np.zeros((5, 4, 1), np.int16), np.diag([-1.0, -1, 2, 1]), folder / "ct", case_id="P1")
    dataset = dcmread(next((folder / "ct").iterdir()))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    file = BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def kind_of(path: str) -> str:
    """The kind of a request by its path."""
    path = path.partition("?")[0]
    if path.endswith(("/studies", "/series", "/instances")):
        return path.rpartition("/")[2]
    return "image"


@contextmanager
def archive(dicom: bytes, **others: Answer) -> Iterator[tuple[str, list[str]]]:
    """An archive of one study, one series and one image, with other answers to some kinds of requests.

    Yields its address and the paths of the requests.
    """
    uid = str(dcmread(BytesIO(dicom)).SOPInstanceUID)
    paths: list[str] = []
    sound: dict[str, Answer] = {
        "studies": lambda handler: answers.whole(handler, listing(item(StudyInstanceUID=STUDY, PatientID="P1"))),
        "series": lambda handler: answers.whole(handler, listing(item(SeriesInstanceUID=SERIES, Modality="CT"))),
        "instances": lambda handler: answers.whole(handler, listing(item(SOPInstanceUID=uid))),
        "image": lambda handler: answers.whole(handler, PART_HEAD + dicom + PART_TAIL, PART),
    }

    def answer(handler: BaseHTTPRequestHandler) -> None:
        paths.append(handler.path)
        (sound | others)[kind_of(handler.path)](handler)

    with answers.serving(answer) as url:
        yield url, paths
