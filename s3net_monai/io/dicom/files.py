"""Find DICOM files and read their headers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3net_monai.file_formats import DICOM_SUFFIXES
from s3net_monai.io.dicom.acquisitions import ACQUISITION_KEYWORDS
from s3net_monai.io.dicom.bare_data_set import START_BYTES, add_transfer_syntax, starts_bare
from s3net_monai.io.dicom.header import SliceHeader, is_image
from s3net_monai.io.dicom.open_file import open_dicom
from s3net_monai.io.limits import MAX_SEQUENCE_DEPTH
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import causes
from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory

if TYPE_CHECKING:
    from pydicom import Dataset


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
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
# Without these an image can be read.
_CHARSET = 0x0008_0005  # always kept: the texts depend on it
OPTIONAL_KEYWORDS = (*ACQUISITION_KEYWORDS, "SpacingBetweenSlices", "EchoTime", "InversionTime", "FlipAngle")


def looks_like_dicom(path: Path) -> bool:
    """Return whether the file has a DICOM suffix, the ``DICM`` mark after its preamble, or begins as a data set.

    PS3.10 section 7.1 demands the preamble; files without it and without a suffix are read all the same.
    """
    if path.suffix.lower() in DICOM_SUFFIXES:
        return path.is_file()
    if not path.is_file():
        return False
    start = _read_start(path)
    return start[128:132] == b"DICM" or starts_bare(start)


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START_BYTES)


def read_data_set(path: Path, **options: Any) -> Dataset:
    """Read a DICOM file, also one without preamble or file meta information.

    Args:
        path: the file.
        options: for ``pydicom.dcmread``.

    Returns:
        The data set; its ``file_meta`` always has a TransferSyntaxUID, which is empty where the file's is.

    Raises:
        CaseError: if it cannot be opened, if nothing says which codec compressed its pixel data, or if its deflated
            part is damaged.
        Exception: of any kind from pydicom, if the file is damaged or of another format.
    """
    from pydicom import dcmread

    with open_dicom(path) as file:
        bare = starts_bare(file.read(START_BYTES))
        file.seek(0)
        dataset = dcmread(file, force=bare, **options)
    add_transfer_syntax(dataset, path.name)
    return dataset


def list_dicom_files(paths: Iterable[Path]) -> list[Path]:
    """Return the DICOM files among ``paths``; a folder stands for the files directly in it."""
    files: list[Path] = []
    for path in paths:
        candidates = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in candidates if looks_like_dicom(file)]
    return files


def read_header(path: Path, extra: Sequence[str] = (), visit: Callable[[Dataset], None] | None = None) -> SliceHeader:
    """Read the attributes that the geometry of a series needs, and those that ``extra`` names, without pixel data.

    Args:
        path: the file.
        extra: keywords of further attributes.
        visit: called with all attributes before the others are dropped; it must accept damaged ones.

    Raises:
        CaseError: if the file is not DICOM, its header is damaged, or it is an image without its matrix size.
    """
    try:
        tags = _tags((*HEADER_KEYWORDS, *OPTIONAL_KEYWORDS, *extra))
        if visit is None:
            dataset = read_data_set(path, stop_before_pixels=True, specific_tags=list(tags))
        else:
            dataset = read_data_set(path, stop_before_pixels=True)
            visit(dataset)
            _keep_only(dataset, tags)
        _drop_damaged(dataset, _tags(OPTIONAL_KEYWORDS) - _tags(tuple(extra)))
        _convert_all(dataset)
        header = SliceHeader(dataset, path)
        cut_off = not is_image(header) and _should_be_image(header)
    except CaseError:
        raise
    except Exception as error:  # damaged data raises all kinds of errors in pydicom
        reason = dicom_problem(error, "not readable as DICOM", "copy the file again")
        raise CaseError(f"{path.name}: {reason}") from error
    if cut_off:
        raise CaseError(f"{path.name}: its header ends before, or lacks, Rows and Columns; copy the file again")
    return header


@lru_cache
def _tags(keywords: tuple[str, ...]) -> frozenset[int]:
    """Return the tags of attributes, which pydicom looks up for every file anew where it gets keywords."""
    from pydicom.tag import Tag

    return frozenset(int(Tag(keyword)) for keyword in keywords)


def _keep_only(dataset: Dataset, tags: Iterable[int]) -> None:
    kept = {_CHARSET, *tags}
    for tag in [tag for tag in dataset.keys() if tag not in kept]:  # noqa: SIM118 - iterating a data set sorts its tags
        del dataset[tag]


def _drop_damaged(dataset: Dataset, tags: Set[int]) -> None:
    """Remove the attributes whose value cannot be converted, such as a word where a number should be."""
    for tag in dataset.keys() & tags:
        try:
            _ = dataset[tag].value
        except Exception:  # damaged data raises all kinds of errors in pydicom
            del dataset[tag]


def _convert_all(dataset: Dataset, depth: int = 0) -> None:
    """Convert every value here, since a damaged one raises when it is first accessed."""
    if depth > MAX_SEQUENCE_DEPTH:
        raise ValueError("sequences within sequences without end")
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            value = element.value
        except Exception as error:
            raise ValueError(str(tag)) from error
        if element.VR == "SQ":
            for item in value:
                _convert_all(item, depth + 1)


def read_image(path: Path) -> SliceHeader:
    """Read a whole file, with its pixel data.

    Raises:
        CaseError: if the file is not DICOM, or an attribute that describes its pixels is damaged.
    """
    try:
        dataset = read_data_set(path)
        for element in dataset.group_dataset(0x0028):  # converted here, so that the message names a damaged one
            _ = element.value
        _ = dataset.get("PixelData")
        return SliceHeader(dataset, path)
    except CaseError:
        raise
    except Exception as error:  # damaged data raises all kinds of errors in pydicom
        reason = dicom_problem(error, "not readable as DICOM", "copy the file again")
        raise CaseError(f"{path.name}: {reason}") from error


def _should_be_image(header: SliceHeader) -> bool:
    """Return whether the SOP class is one of images, or is not even stated, as in a file that is cut off early."""
    from pydicom.uid import UID

    own, stated = (
        UID(str(dataset.get(keyword) or ""))
        for dataset, keyword in ((header.dataset, "SOPClassUID"), (header.dataset.file_meta, "MediaStorageSOPClassUID"))
    )
    # Only a DICOMDIR has its class in the file meta information alone.
    return "Image Storage" in f"{own.name} {stated.name}" or (not own and stated.name == stated)


def dicom_problem(error: BaseException, found: str, remedy: str) -> str:
    """Return why pydicom cannot read a file, without a value, and the remedy.

    Its own messages quote source code, and values that may belong to a patient.

    Args:
        error: that pydicom raised.
        found: what the error means, such as "not readable as DICOM".
        remedy: what helps then.
    """
    no_memory = any(is_out_of_memory(link) for link in causes(error))
    return NO_MEMORY if no_memory else f"{found} ({_damage(error)}); {remedy}"


def _damage(error: BaseException) -> str:
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
