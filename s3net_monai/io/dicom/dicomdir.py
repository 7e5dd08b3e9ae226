"""Files that a DICOMDIR, the table of contents of DICOM media, refers to (PS3.10 section 8, PS3.3 annex F)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_monai.io.dicom.files import dicom_problem
from s3net_monai.io.dicom.open_file import open_dicom
from s3net_monai.io.dicom.uids import MEDIA_STORAGE_DIRECTORY
from s3net_monai.utils.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

DICOMDIR_NAME = "DICOMDIR"


@dataclass(frozen=True)
class DicomDir:
    """The images that a DICOMDIR names.

    Attributes:
        files: those that exist.
        missing: the file IDs of those that do not, by SeriesInstanceUID.
        records: the DICOMDIR itself, whose records repeat values of the patients.
    """

    files: tuple[Path, ...]
    missing: dict[str, tuple[str, ...]]
    records: Dataset


def is_dicomdir(path: Path) -> bool:
    """Return whether the file has the name of a DICOMDIR; no other name is in use (PS3.10 section 8.6)."""
    return path.name.upper() == DICOMDIR_NAME and path.is_file()


def read_dicomdir(path: Path) -> DicomDir:
    """Find the image files that a DICOMDIR names, in its order, without regard to case, as on a CD.

    Raises:
        CaseError: if it is damaged, or names a file outside its own folder.
    """
    from pydicom import dcmread

    try:
        with open_dicom(path) as opened:
            dataset = dcmread(opened)
        if dataset.file_meta.get("MediaStorageSOPClassUID") != MEDIA_STORAGE_DIRECTORY:
            raise CaseError(
                f"{path.name}: not readable as DICOMDIR (not a media storage directory); give the folder around it"
            )
        images = list(_images(dataset))
    except CaseError:
        raise
    except Exception as error:  # damaged data raises all kinds of errors in pydicom
        reason = dicom_problem(error, "not readable as DICOMDIR", "give the folder that contains it")
        raise CaseError(f"{path.name}: {reason}") from error
    root = path.parent.resolve()
    names = _Names()
    files: dict[Path, None] = {}
    missing: dict[str, list[str]] = {}
    for parts, series in images:
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part for part in parts):
            raise CaseError(f"{path.name}: names a file outside its own folder; do not trust this disc")
        file = names.find(path.parent, parts)
        if file is None:
            missing.setdefault(series, []).append("/".join(parts))
        elif not file.resolve().is_relative_to(root):
            raise CaseError(f"{path.name}: names a link out of its own folder; do not trust this disc")
        else:
            files[file] = None
    return DicomDir(tuple(files), {series: tuple(absent) for series, absent in missing.items()}, dataset)


def _images(dataset: Dataset) -> Iterator[tuple[list[str], str]]:
    """Yield (components of the file ID, SeriesInstanceUID) of every image record.

    Records are stored in one flat sequence and linked by their offsets in the file. A record belongs to the series
    record whose chain of links contains it; where a damaged link leads nowhere, it belongs to none.
    """
    records = {record.seq_item_tell: record for record in dataset.DirectoryRecordSequence}
    series_of: dict[int, str] = {}
    for record in records.values():
        if record.get("DirectoryRecordType") != "SERIES":
            continue
        offset = int(record.get("OffsetOfReferencedLowerLevelDirectoryEntity") or 0)
        while offset in records and offset not in series_of:  # links of a damaged file may form a ring
            series_of[offset] = str(record.get("SeriesInstanceUID", ""))
            offset = int(records[offset].get("OffsetOfTheNextDirectoryRecord") or 0)
    for offset, record in records.items():
        file_id = record.get("ReferencedFileID")
        if record.get("DirectoryRecordType") == "IMAGE" and file_id:
            parts = [file_id] if isinstance(file_id, str) else [str(part) for part in file_id]
            yield parts, series_of.get(offset, "")


class _Names:
    """File lookup without regard to case that lists every folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def find(self, folder: Path, parts: list[str]) -> Path | None:
        """Return the file at ``parts`` below ``folder``, or None."""
        path: Path | None = folder
        for part in parts:
            if path is None or not path.is_dir():
                return None
            if path not in self._folders:
                self._folders[path] = {entry.name.upper(): entry for entry in sorted(path.iterdir(), reverse=True)}
            path = self._folders[path].get(part.upper())
        return path if path is not None and path.is_file() else None
