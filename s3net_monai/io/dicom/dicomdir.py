"""What a DICOMDIR, the table of contents of a DICOM medium, refers to (PS3.10 section 8, PS3.3 annex F)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3net_monai.io.dicom.files import header_fault
from s3net_monai.io.limits import check_deflated
from s3net_monai.utils.errors import CaseError

DICOMDIR_NAME = "DICOMDIR"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class DicomDir:
    """The images of a DICOMDIR: ``files`` that exist, and of those that are ``missing`` the file IDs by series UID."""

    files: tuple[Path, ...]
    missing: dict[str, tuple[str, ...]]


def is_dicomdir(path: Path) -> bool:
    """Whether the file has a DICOMDIR's name; other names are not in use (PS3.10 section 8.6)."""
    return path.name.upper() == DICOMDIR_NAME and path.is_file()


def read_dicomdir(path: Path) -> DicomDir:
    """The image files that a DICOMDIR names, in its order. Upper and lower case count as equal, as on a CD.

    Raises:
        CaseError: when it is damaged, or names a file outside its own folder.
    """
    from pydicom import dcmread

    try:
        check_deflated(path)
        dataset = dcmread(path)
        if dataset.file_meta.get("MediaStorageSOPClassUID") != MEDIA_STORAGE_DIRECTORY:
            raise CaseError(
                f"{path.name}: not readable as DICOMDIR (not a media storage directory); give the folder around it"
            )
        images = list(_images(dataset))
    except CaseError:
        raise
    except Exception as error:  # pydicom raises whatever the damage provokes
        raise CaseError(
            f"{path.name}: not readable as DICOMDIR ({header_fault(error)}); give the folder that it lies in"
        ) from error
    root = path.parent.resolve()
    names = _Names()
    files: dict[Path, None] = {}
    missing: dict[str, list[str]] = {}
    for parts, series in images:
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part for part in parts):
            raise CaseError(f"{path.name}: names a file outside its own folder; do not trust this medium")
        file = names.find(path.parent, parts)
        if file is None:
            missing.setdefault(series, []).append("/".join(parts))
        elif not file.resolve().is_relative_to(root):
            raise CaseError(f"{path.name}: names a link out of its own folder; do not trust this medium")
        else:
            files[file] = None
    return DicomDir(tuple(files), {series: tuple(absent) for series, absent in missing.items()})


def _images(dataset: Any) -> Iterator[tuple[list[str], str]]:
    """(components of the file ID, SeriesInstanceUID) of every image record.

    Records lie in one flat sequence and are linked by their offsets in the file; a record is in the series of the
    record whose chain it is in, and in none where a damaged link leads nowhere.
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
    """Looks files up without regard to case, listing every folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def find(self, folder: Path, parts: list[str]) -> Path | None:
        """The file at ``parts`` below ``folder``, or None."""
        here: Path | None = folder
        for part in parts:
            if here is None or not here.is_dir():
                return None
            if here not in self._folders:
                self._folders[here] = {entry.name.upper(): entry for entry in sorted(here.iterdir(), reverse=True)}
            here = self._folders[here].get(part.upper())
        return here if here is not None and here.is_file() else None
