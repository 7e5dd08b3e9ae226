"""Which of a series' images make up the stack, and the checks that each has to pass alone and beside the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.dicom.files import is_image
from s3net_monai.utils.errors import CaseError

DIRECTION_TOLERANCE = 1e-3  # of each direction cosine
SPACING_TOLERANCE = 1e-3  # mm, between the in-plane spacings of slices
MAX_SIDE = 8192  # pixels; the largest CT matrices have 2048
SCOUTS_AT_MOST = 2  # one frontal, one lateral
SLICES_BESIDE_SCOUTS = 10  # fewer slices are no sure majority
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def stack_slices(headers: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The slices of one CT stack, and a note for what was set aside.

    Set aside are, where other slices remain: images that ImageType calls LOCALIZER; images that it calls SECONDARY
    beside PRIMARY ones (dose reports, screen captures); and scouts that only their geometry gives away: at most two
    images at right angles to at least ten parallel ones. All other unlike images are a reason to refuse.

    Raises:
        CaseError: with the named reason where the rest is not one grid.
    """
    images = [header for header in headers if is_image(header)]
    if not images:
        raise CaseError("no image files: the DICOM objects here hold no pixel matrix; give the folder of a CT series")
    _check_one_series(images)
    images, notes = _without(images, _marked(images, "LOCALIZER"), "localizer")
    if _marked(images, "LOCALIZER"):
        raise CaseError(f"localizer only: {name_of(images[0])} is a scout view; give the axial series")
    if _marked(images, "PRIMARY"):
        images, more = _without(images, _marked(images, "SECONDARY"), "secondary image")
        notes += more
    for header in images:
        _check_kind(header)
    _check_one_object(images)
    images, more = _without(images, _scouts(images), "localizer")
    _check_same_grid(images)
    _check_same_place(images)
    return images, notes + more


def name_of(header: Any) -> str:
    """The file's name, and the frame where it holds several, for messages; folders may carry a patient's name."""
    name = Path(header.filename).name
    return f"{name} frame {header.frame_index + 1}" if getattr(header, "of_several", False) else name


def term(value: Any) -> str:
    """A coded string (PS3.5 section 6.2) for messages; anything else could be a patient's name in a damaged header."""
    text = str(value).strip()
    return text if re.fullmatch(r"[A-Z0-9_ ]{1,16}", text) else "an unreadable value"


def uid_name(value: Any) -> str:
    """What a UID stands for, for messages."""
    from pydicom.uid import UID

    uid = UID(str(value))
    return uid.name if uid.is_valid else "an unreadable UID"


def numbers(header: Any, keyword: str, count: int) -> np.ndarray:
    """``count`` finite numbers (float64).

    Raises:
        CaseError: when the element is missing, has another count or is not finite.
    """
    value = header.get(keyword)
    try:
        values = np.atleast_1d(np.array([] if value is None else value, dtype=np.float64))
    except (TypeError, ValueError):
        values = np.array([])
    if values.shape != (count,) or not np.isfinite(values).all():
        plural = "number" if count == 1 else "numbers"
        raise CaseError(f"{name_of(header)}: no usable {keyword} ({count} {plural} expected); export it again")
    return values


def integer(header: Any, keyword: str, default: int | None = None) -> int:
    """One whole number, or ``default`` where the element is missing or empty.

    Raises:
        CaseError: when it is no whole number, or missing without a default.
    """
    if default is not None and header.get(keyword) in (None, ""):
        return default
    value = float(numbers(header, keyword, 1)[0])
    if not value.is_integer():
        raise CaseError(f"{name_of(header)}: {keyword} {value} is not a whole number; export the series again")
    return int(value)


def pixel_spacing(header: Any) -> np.ndarray:
    """(row spacing, column spacing) in mm.

    Raises:
        CaseError: when it is missing or not positive.
    """
    values = numbers(header, "PixelSpacing", 2)
    if not (values > 0).all():
        raise CaseError(f"{name_of(header)}: PixelSpacing {values.tolist()} must be positive; export the series again")
    return values


def directions(header: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (LPS) of a row, of a column and of the slice normal.

    Raises:
        CaseError: when ImageOrientationPatient is not two perpendicular unit vectors.
    """
    row, column = numbers(header, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if np.abs(np.array([*lengths, 1.0 + row @ column]) - 1.0).max() > DIRECTION_TOLERANCE:
        raise CaseError(f"{name_of(header)}: ImageOrientationPatient is not two perpendicular unit vectors")
    row, column = row / lengths[0], column / lengths[1]
    return row, column, np.cross(row, column)


def _marked(images: list[Any], word: str) -> list[Any]:
    return [header for header in images if word in _words(header.get("ImageType"))]


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _without(images: list[Any], aside: list[Any], what: str) -> tuple[list[Any], list[str]]:
    """``images`` less those ``aside``, and the note; everything stays where nothing would be left."""
    if not aside or len(aside) == len(images):
        return images, []
    gone = {id(header) for header in aside}
    plural = "s" if len(aside) > 1 else ""
    note = f"{len(aside)} {what}{plural} set aside ({', '.join(name_of(header) for header in aside[:3])})"
    return [header for header in images if id(header) not in gone], [note]


def _check_kind(header: Any) -> None:
    storage = header.get("SOPClassUID")
    modality = header.get("Modality") or ("CT" if storage == CT_IMAGE_STORAGE else None)
    if modality != "CT":
        found = term(modality) if modality else "an object without Modality"
        raise CaseError(f"{name_of(header)}: not CT but {found}; give a CT series")
    if storage == SECONDARY_CAPTURE:
        raise CaseError(f"{name_of(header)}: a secondary capture, without Hounsfield units; give the original series")
    if integer(header, "NumberOfFrames", 1) > 1:
        raise CaseError(f"{name_of(header)}: multi-frame without functional groups, so its frames have no place")
    if integer(header, "SamplesPerPixel", 1) != 1:
        raise CaseError(f"{name_of(header)}: a color image, not CT; give the original series, not a screen capture")
    rows, columns = integer(header, "Rows"), integer(header, "Columns")
    if not (0 < rows <= MAX_SIDE and 0 < columns <= MAX_SIDE):
        raise CaseError(
            f"{name_of(header)}: {rows}x{columns} pixels (rows x columns), 1 to {MAX_SIDE} expected; copy it again"
        )


def _check_one_series(images: list[Any]) -> None:
    count = len({str(header.get("SeriesInstanceUID", "")) for header in images})
    if count > 1:
        raise CaseError(f"mixed series: {count} SeriesInstanceUIDs among {len(images)} files; give one series a folder")


def _check_one_object(images: list[Any]) -> None:
    files = {header.filename for header in images}
    if len(files) > 1 and any(getattr(header, "of_several", False) for header in images):
        raise CaseError(f"several multi-frame objects: {len(files)} files in the series; give one of them")


def _scouts(images: list[Any]) -> list[Any]:
    """The images at right angles to the first direction that many share, where there are few of them."""
    normals = np.array([directions(header)[2] for header in images])
    parallel = np.abs(normals @ normals.T)
    main = parallel[int((parallel > 1 - DIRECTION_TOLERANCE).sum(axis=1).argmax())]
    across = main < 0.5
    if 0 < across.sum() <= SCOUTS_AT_MOST and (~across).sum() >= SLICES_BESIDE_SCOUTS:
        return [header for header, is_across in zip(images, across, strict=True) if is_across]
    return []


def _check_same_grid(images: list[Any]) -> None:
    first = images[0]
    size = (integer(first, "Rows"), integer(first, "Columns"))
    orientation = numbers(first, "ImageOrientationPatient", 6)
    spacing = pixel_spacing(first)
    for header in images[1:]:
        if np.abs(numbers(header, "ImageOrientationPatient", 6) - orientation).max() > DIRECTION_TOLERANCE:
            raise CaseError(
                f"mixed orientations: {name_of(header)} differs from {name_of(first)}; "
                "remove localizers and reformats from the series"
            )
        found = (integer(header, "Rows"), integer(header, "Columns"))
        if found != size:
            raise CaseError(
                f"inconsistent size: {name_of(header)} is {found[0]}x{found[1]}, "
                f"{name_of(first)} is {size[0]}x{size[1]} (rows x columns); remove the slices that do not belong"
            )
        other = pixel_spacing(header)
        if np.abs(other - spacing).max() > SPACING_TOLERANCE:
            raise CaseError(
                f"inconsistent pixel spacing: {name_of(header)} has {other.tolist()} mm, "
                f"{name_of(first)} has {spacing.tolist()} mm; remove the slices that do not belong"
            )


def _check_same_place(images: list[Any]) -> None:
    """Positions compare within one frame of reference alone (PS3.3 section C.7.4.1).

    UIDs that are not unique put several patients into one series.
    """
    for keyword, what in (("FrameOfReferenceUID", "frames of reference"), ("PatientID", "patients")):
        count = len({str(header.get(keyword)) for header in images if header.get(keyword)})
        if count > 1:
            raise CaseError(f"mixed {what}: {count} among the {len(images)} slices of one series; give one a folder")
