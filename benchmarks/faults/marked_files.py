"""Small series and VL images in DICOM, one of whose attributes holds a mark that paths or descriptions repeat."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.faults.marks import Mark
from data_prep.phantom_dicom import write_ct_series

if TYPE_CHECKING:
    from pydicom import Dataset

SHAPE = (16, 16, 3)
SPACING = 5.0  # mm
DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.7"
_FILE_META_GROUP = 0x0002


def _set(dataset: Dataset, mark: Mark) -> None:
    from pydicom import Dataset

    if mark.tag >> 16 == _FILE_META_GROUP:
        dataset.file_meta.add_new(mark.tag, mark.vr, mark.value)
    elif mark.vr == "SQ":
        item = Dataset()
        item.CodeMeaning = mark.value
        dataset.add_new(mark.tag, "SQ", [item])
    else:
        is_binary = mark.vr in ("OB", "UN")
        dataset.add_new(mark.tag, mark.vr, mark.value.encode() if is_binary else mark.value)


def _write_series(folder: Path, mark: Mark | None, study: int, number: int, *, names: str = "", **tags: Any) -> None:
    """Write the slices of one series; ``names`` are the beginnings of the files' names."""
    from pydicom.uid import UID

    for index, dataset in enumerate(_template()):
        dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.88.{study}"
        dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.88.{study}.{number}"
        dataset.SOPInstanceUID = UID(f"{dataset.SeriesInstanceUID}.{index}")
        dataset.PatientID = ""
        dataset.SeriesNumber = number
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        if mark is not None:
            _set(dataset, mark)
        if mark is not None and mark.tag == 0x0008_0018:  # SOPInstanceUID, which no two slices share
            dataset.SOPInstanceUID = UID(f"{mark.value}.{index}" if index else mark.value)
        folder.mkdir(parents=True, exist_ok=True)
        dataset.save_as(folder / f"{names}{index}.dcm")


def _in_header(root: Path, mark: Mark, number: int) -> None:
    _write_series(root / mark.written, mark, number, 1, names=f"{mark.written}_")
    _write_series(root / "other", None, number, 2, ImageType=["DERIVED", "SECONDARY"])


def _in_sequence(root: Path, mark: Mark, number: int) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset

    item = Dataset()
    item.file_meta = FileMetaDataset()
    _set(item, mark)
    if mark.tag >> 16 == _FILE_META_GROUP:
        item.add_new(0x0008_1155, "UI", mark.value)  # group 0002 is in no sequence: a referenced instance instead
    _write_series(root / mark.written, None, number, 1, RequestAttributesSequence=[item])


def _in_description(root: Path, mark: Mark, number: int) -> None:
    tags = {"SeriesDescription": f"lung {mark.written}", "ProtocolName": f"{mark.written} lung"}
    _write_series(root / "first", mark, number, 1, **tags)
    _write_series(root / "second", mark, number, 2, ImageType=["DERIVED", "SECONDARY"], **tags)


def _in_vl_image(root: Path, mark: Mark, number: int) -> None:
    from pydicom.uid import UID

    dataset = _template()[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(DERMOSCOPY)
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "XC", "RGB", 3
    dataset.PlanarConfiguration, dataset.PixelRepresentation = 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes(SHAPE[0] * SHAPE[1] * 3)
    dataset.PatientID = ""
    dataset.SOPInstanceUID = UID(f"1.2.826.0.1.3680043.99.{number}")
    _set(dataset, mark)
    (root / mark.written).mkdir(parents=True)
    dataset.save_as(root / mark.written / f"{mark.written}.dcm")


# By where the marks are put; each takes a folder, a mark and its number.
WRITERS: dict[str, Callable[[Path, Mark, int], None]] = {
    "header": _in_header,
    "sequence": _in_sequence,
    "description": _in_description,
    "VL image": _in_vl_image,
}


def _template() -> list[Dataset]:
    """Return fresh slices of a series of air without any identifier of its own."""
    from pydicom import dcmread

    return [dcmread(io.BytesIO(data)) for data in _template_files()]


@cache
def _template_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        affine = np.diag([SPACING, SPACING, SPACING, 1.0])
        image = np.full(SHAPE, -1000, dtype=np.int16)
        return [path.read_bytes() for path in write_ct_series(image, affine, Path(folder), case_id="x")]
