"""Selection of the images of a series that make up the stack, and the checks of each and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s3net_monai.io.dicom.header import (
    DIRECTION_TOLERANCE,
    SliceHeader,
    is_image,
    modality_of,
    quote_term,
    read_directions,
    read_integer,
    read_numbers,
    read_pixel_spacing,
)
from s3net_monai.io.dicom.uids import SECONDARY_CAPTURE
from s3net_monai.io.limits import MAX_CT_SIDE
from s3net_monai.utils.errors import CaseError

SPACING_TOLERANCE = 1e-3  # mm, between the in-plane spacings of slices
MAX_SCOUTS = 2  # one frontal, one lateral
MIN_SLICES_BESIDE_SCOUTS = 10  # fewer slices are no clear majority


def select_stack(headers: Sequence[SliceHeader], modality: str = "CT") -> tuple[list[SliceHeader], list[str]]:
    """Return the slices of one stack of CT or MR, and one note per kind of image that was set aside.

    Three kinds are set aside, provided that other slices remain: images whose ImageType says LOCALIZER; images whose
    ImageType says SECONDARY beside PRIMARY ones (dose reports, screen captures); and scouts that only their geometry
    reveals, which are at most two images at right angles to at least ten parallel ones. Any other image that differs
    from the stack is a reason to refuse the series.

    Raises:
        CaseError: with the reason, if the remaining slices do not share one grid.
    """
    images = [header for header in headers if is_image(header)]
    if not images:
        raise CaseError(
            f"no image files: the DICOM objects here hold no pixel matrix; give the folder of a {modality} series"
        )
    _check_one_series(images)
    images, notes = _set_aside(images, _of_type(images, "LOCALIZER"), "localizer")
    if _of_type(images, "LOCALIZER"):
        raise CaseError(f"localizer only: {images[0].name} is a scout view; give the axial series")
    if _of_type(images, "PRIMARY"):
        images, secondary_notes = _set_aside(images, _of_type(images, "SECONDARY"), "secondary image")
        notes += secondary_notes
    for header in images:
        _check_kind(header, modality)
    images, scout_notes = _set_aside(images, _find_scouts(images), "localizer")
    _check_same_grid(images)
    _check_same_patient(images)
    return images, notes + scout_notes


def _of_type(images: list[SliceHeader], image_type: str) -> list[SliceHeader]:
    return [header for header in images if image_type in _as_list(header.get("ImageType"))]


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _set_aside(
    images: list[SliceHeader], unwanted: list[SliceHeader], kind: str
) -> tuple[list[SliceHeader], list[str]]:
    """Return ``images`` without the unwanted ones, and the note; all of them where nothing would remain."""
    if not unwanted or len(unwanted) == len(images):
        return images, []
    plural = "s" if len(unwanted) > 1 else ""
    note = f"{len(unwanted)} {kind}{plural} set aside ({', '.join(header.name for header in unwanted[:3])})"
    excluded = set(unwanted)
    return [header for header in images if header not in excluded], [note]


def _check_kind(header: SliceHeader, expected: str) -> None:
    storage = header.get("SOPClassUID")
    modality = modality_of(header)
    if modality != expected:
        description = quote_term(modality) if modality else "an object without Modality"
        raise CaseError(f"{header.name}: not {expected} but {description}; give a {expected} series")
    if storage == SECONDARY_CAPTURE:
        unit = ", without Hounsfield units" if expected == "CT" else ""
        raise CaseError(f"{header.name}: a secondary capture{unit}; give the original series")
    if read_integer(header, "NumberOfFrames", 1) > 1:
        raise CaseError(
            f"{header.name}: multi-frame without functional groups, so the positions of its frames are unknown"
        )
    if read_integer(header, "SamplesPerPixel", 1) != 1:
        raise CaseError(f"{header.name}: a color image, not {expected}; give the original series, not a screen capture")
    rows, columns = read_integer(header, "Rows"), read_integer(header, "Columns")
    if not (0 < rows <= MAX_CT_SIDE and 0 < columns <= MAX_CT_SIDE):
        raise CaseError(
            f"{header.name}: {rows}x{columns} pixels (rows x columns), 1 to {MAX_CT_SIDE} expected; copy it again"
        )


def _check_one_series(images: list[SliceHeader]) -> None:
    count = len({str(header.get("SeriesInstanceUID", "")) for header in images})
    if count > 1:
        raise CaseError(
            f"mixed series: {count} SeriesInstanceUIDs among {len(images)} files; give one series per folder"
        )


def _find_scouts(images: list[SliceHeader]) -> list[SliceHeader]:
    """Return the images at right angles to the most frequent direction, where there are few of them."""
    normals = np.array([read_directions(header)[2] for header in images])
    cosines = np.abs(normals @ normals.T)
    most_frequent = int((cosines > 1 - DIRECTION_TOLERANCE).sum(axis=1).argmax())
    perpendicular = cosines[most_frequent] < 0.5
    if 0 < perpendicular.sum() <= MAX_SCOUTS and (~perpendicular).sum() >= MIN_SLICES_BESIDE_SCOUTS:
        return [header for header, is_scout in zip(images, perpendicular, strict=True) if is_scout]
    return []


def _check_same_grid(images: list[SliceHeader]) -> None:
    first = images[0]
    size = (read_integer(first, "Rows"), read_integer(first, "Columns"))
    orientation = read_numbers(first, "ImageOrientationPatient", 6)
    spacing = read_pixel_spacing(first)
    for header in images[1:]:
        if np.abs(read_numbers(header, "ImageOrientationPatient", 6) - orientation).max() > DIRECTION_TOLERANCE:
            raise CaseError(
                f"mixed orientations: {header.name} differs from {first.name}; "
                "remove localizers and reformats from the series"
            )
        other_size = (read_integer(header, "Rows"), read_integer(header, "Columns"))
        if other_size != size:
            raise CaseError(
                f"inconsistent size: {header.name} is {other_size[0]}x{other_size[1]}, "
                f"{first.name} is {size[0]}x{size[1]} (rows x columns); remove the slices that do not belong"
            )
        other_spacing = read_pixel_spacing(header)
        if np.abs(other_spacing - spacing).max() > SPACING_TOLERANCE:
            raise CaseError(
                f"inconsistent pixel spacing: {header.name} has {other_spacing.tolist()} mm, "
                f"{first.name} has {spacing.tolist()} mm; remove the slices that do not belong"
            )


def _check_same_patient(images: list[SliceHeader]) -> None:
    """Refuse several frames of reference or patients.

    Positions are comparable only within one frame of reference (PS3.3 section C.7.4.1), and UIDs that are not unique
    put several patients into one series.
    """
    for keyword, noun in (("FrameOfReferenceUID", "frames of reference"), ("PatientID", "patients")):
        count = len({str(header.get(keyword)) for header in images if header.get(keyword)})
        if count > 1:
            raise CaseError(f"mixed {noun}: {count} among the {len(images)} slices of one series; give one per folder")
