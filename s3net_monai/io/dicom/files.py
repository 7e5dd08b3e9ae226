"""Finding DICOM image files and reading their headers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from s3net_monai.io.limits import check_deflated
from s3net_monai.utils.errors import CaseError

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
MAX_DEPTH = 16  # of sequences; functional groups with their codes take 4

HEADER_KEYWORDS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "ModalityLUTSequence",
    "ConcatenationUID",
    "InConcatenationTotalNumber",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


def looks_like_dicom(path: Path) -> bool:
    """Whether the file has a DICOM suffix or the ``DICM`` mark after its preamble (PS3.10 section 7.1)."""
    if path.suffix.lower() in DICOM_SUFFIXES:
        return path.is_file()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def dicom_files(paths: Iterable[Path]) -> list[Path]:
    """The DICOM files among ``paths``; a folder stands for the files directly in it."""
    found: list[Path] = []
    for path in paths:
        candidates = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in candidates if looks_like_dicom(file)]
    return found


def read_header(path: Path, extra: Sequence[str] = ()) -> Any:
    """The tags that geometry needs, and the ``extra`` keywords, as a ``pydicom.Dataset`` with ``filename`` set.

    Raises:
        CaseError: when the file is not DICOM, its header is damaged, or it is an image without its matrix.
    """
    from pydicom import dcmread

    try:
        check_deflated(path)
        header = dcmread(path, stop_before_pixels=True, specific_tags=[*HEADER_KEYWORDS, *extra])
        _touch(header)
        cut_off = not is_image(header) and _should_be_image(header)
    except CaseError:
        raise
    except Exception as error:  # pydicom raises whatever the damage provokes
        raise CaseError(f"{path.name}: not readable as DICOM ({header_fault(error)}); copy the file again") from error
    if cut_off:
        raise CaseError(f"{path.name}: its header ends before, or lacks, Rows and Columns; copy the file again")
    return header


def _touch(dataset: Any, depth: int = 0) -> None:
    """Convert every value, since a damaged one raises when it is first touched."""
    if depth > MAX_DEPTH:
        raise ValueError("sequences within sequences without end")
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            value = element.value
        except Exception as error:
            raise ValueError(str(tag)) from error
        if element.VR == "SQ":
            for item in value:
                _touch(item, depth + 1)


def read_dataset(path: Path) -> Any:
    """The whole file as a ``pydicom.Dataset`` with ``filename`` set.

    Raises:
        CaseError: when the file is not DICOM or what describes its pixels is damaged.
    """
    from pydicom import dcmread

    try:
        dataset = dcmread(path)
        for element in dataset.group_dataset(0x0028):  # decoded here, so that damage is named here
            _ = element.value
        _ = dataset.get("PixelData")
        return dataset
    except Exception as error:  # pydicom raises whatever the damage provokes
        raise CaseError(f"{path.name}: not readable as DICOM ({header_fault(error)}); copy the file again") from error


def is_image(header: Any) -> bool:
    """Whether the object is an image; a structure set, report or presentation state has no ``Rows``."""
    return "Rows" in header and "Columns" in header


def _should_be_image(header: Any) -> bool:
    """Whether its class is one of images, or is not even stated, as in a file that is cut off early."""
    from pydicom.uid import UID

    own, stated = (
        UID(str(dataset.get(keyword) or ""))
        for dataset, keyword in ((header, "SOPClassUID"), (header.file_meta, "MediaStorageSOPClassUID"))
    )
    # Only a DICOMDIR has its class in the file meta information alone.
    return "Image Storage" in f"{own.name} {stated.name}" or (not own and stated.name == stated)


def header_fault(error: BaseException) -> str:
    """What pydicom stumbled over, without a value: its own texts quote those, which may be a patient's, and code."""
    from pydicom.errors import InvalidDicomError

    if isinstance(error, InvalidDicomError):
        return "no DICOM header found"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, zlib.error):
        return "its deflated part is damaged"
    tag = re.search(r"\(([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)", str(error))
    return f"element ({tag[1]},{tag[2]}) is damaged" if tag else "an element is damaged"
