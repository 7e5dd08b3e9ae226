"""The key of a run: a private table by which the owner of the images finds the source of every case again."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import read_header
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import exclusive_lock
from s3net_monai.utils.output_paths import check_output_file, os_error_line

HEADER_KEYWORDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
COLUMNS = ("case_id", "source", *HEADER_KEYWORDS)
OWNER_ONLY = 0o600


def check_key(path: Path, output: Path) -> None:
    """Refuse a key that would be passed on together with the masks, or that would replace another file.

    Raises:
        UsageError: when the path is inside the output folder, is not writable or holds something else than a key.
    """
    if path.resolve().is_relative_to(output.resolve()):
        raise UsageError(
            f"{path}: inside {output}, so whoever gets the masks would get the names; give --key a path outside of it"
        )
    check_output_file(path)
    _read(path)


def write_key(path: Path, cases: Sequence[Case], *, study: str | None = None) -> None:
    """Write the case names with their sources and what DICOM headers say, readable by the owner alone.

    Rows of other cases, from earlier runs, are kept. Every shard of a run writes the rows of all cases.

    Args:
        path: the file.
        cases: all cases of the run, the same for every shard.
        study: StudyInstanceUID of cases from a DICOMweb server, which have no path of their own.

    Raises:
        UsageError: when the file there is not a key.
    """
    rows = [_row(case, study) for case in cases]
    own = {tuple(row[:2]) for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(path.with_name(f".{path.name}.lock")), atomic_path(path) as temporary:
        kept = [row for row in _read(path) if tuple(row[:2]) not in own]
        # Created with its permissions: a file that is restricted afterwards could be read in between.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with open(descriptor, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows([COLUMNS, *kept, *rows])


def _read(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = list(csv.reader(file)) or [list(COLUMNS)]
    except OSError as error:
        raise UsageError(os_error_line(error)) from error
    except csv.Error:
        header, rows = [], []
    if tuple(header) != COLUMNS:
        raise UsageError(f"{path}: exists and is not the key of a run; give --key another path")
    return rows


def _row(case: Case, study: str | None) -> list[str]:
    source = os.path.abspath(case.input) if study is None else f"DICOMweb study {study}"
    return [case.case_id, source, *_from_header(case)]


def _from_header(case: Case) -> list[str]:
    if case.kind not in ("dicom_series", "dicom_vl_image"):
        return [""] * len(HEADER_KEYWORDS)
    try:
        header = read_header(case.image[0], HEADER_KEYWORDS)
    except CaseError:  # the report says what is wrong with it
        return [""] * len(HEADER_KEYWORDS)
    return [str(header.get(keyword) or "") for keyword in HEADER_KEYWORDS]
