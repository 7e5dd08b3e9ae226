"""Geometry of a classic (one file a slice) CT series, checked before anything is stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.dicom_files import is_image
from s3net_monai.io.errors import CaseError

DIRECTION_TOLERANCE = 1e-3  # of each direction cosine
SPACING_TOLERANCE = 1e-3  # mm, between the in-plane spacings of slices
DUPLICATE_DISTANCE = 0.01  # mm along the normal
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True)
class SeriesGeometry:
    """A validated stack: ``headers`` ordered along the slice normal, ``affine`` (4x4, RAS+, mm) of (column, row, slice)
    indices, ``shape`` (columns, rows, slices)."""

    headers: tuple[Any, ...]
    affine: np.ndarray
    shape: tuple[int, int, int]


def series_geometry(headers: Sequence[Any]) -> SeriesGeometry:
    """Order slices by position along the normal and build the affine (PS3.3 section C.7.6.2.1.1).

    PixelSpacing is (row spacing, column spacing): the second value belongs to the row cosine, along which the
    column index grows. Slice spacing comes from positions; SliceThickness counts for a single slice alone.

    Raises:
        CaseError: with the named reason where the files are not one regular CT stack.
    """
    images = [header for header in headers if is_image(header)]
    if not images:
        raise CaseError("no image files: the DICOM objects here hold no pixel matrix; give the folder of a CT series")
    _check_kind(images)
    _check_one_series(images)
    _check_same_grid(images)
    row_cosine, column_cosine, normal = _directions(images[0])
    positions = np.array([_numbers(header, "ImagePositionPatient", 3) for header in images])
    order = np.argsort(positions @ normal, kind="stable")
    images, positions = [images[i] for i in order], positions[order]
    step = _slice_step(images, positions, normal)

    row_spacing, column_spacing = _numbers(images[0], "PixelSpacing", 2)
    affine = np.eye(4)
    affine[:3, 0] = row_cosine * column_spacing
    affine[:3, 1] = column_cosine * row_spacing
    affine[:3, 2] = normal * step
    affine[:3, 3] = positions[0]
    shape = (int(images[0].Columns), int(images[0].Rows), len(images))
    return SeriesGeometry(tuple(images), LPS_TO_RAS @ affine, shape)


def _name(header: Any) -> str:
    return Path(header.filename).name


def _numbers(header: Any, keyword: str, count: int) -> np.ndarray:
    try:
        values = np.array([float(value) for value in header.get(keyword) or ()])
    except TypeError:
        values = np.array([])
    if values.shape != (count,) or not np.isfinite(values).all():
        raise CaseError(f"{_name(header)}: no usable {keyword} ({count} numbers expected); the slice cannot be placed")
    if keyword == "PixelSpacing" and not (values > 0).all():
        raise CaseError(f"{_name(header)}: PixelSpacing {values.tolist()} must be positive")
    return values


def _check_kind(images: list[Any]) -> None:
    for header in images:
        modality = header.get("Modality") or ("CT" if header.get("SOPClassUID") == CT_IMAGE_STORAGE else None)
        if modality != "CT":
            found = modality or "an object without Modality"
            raise CaseError(f"{_name(header)}: not CT but {found}; give a CT series")
        if int(header.get("NumberOfFrames") or 1) > 1:
            raise CaseError(f"{_name(header)}: multi-frame CT is not read; convert it to one file a slice or to NIfTI")
        if int(header.get("SamplesPerPixel") or 1) != 1:
            raise CaseError(f"{_name(header)}: a colour image, not CT; give the original series, not a screen capture")
    if all("LOCALIZER" in (header.get("ImageType") or ()) for header in images):
        raise CaseError(f"localizer only: {_name(images[0])} is a scout view; give the axial series")


def _check_one_series(images: list[Any]) -> None:
    count = len({str(header.get("SeriesInstanceUID", "")) for header in images})
    if count > 1:
        raise CaseError(f"mixed series: {count} SeriesInstanceUIDs among {len(images)} files; give one series a folder")


def _check_same_grid(images: list[Any]) -> None:
    first = images[0]
    size = (int(first.Rows), int(first.Columns))
    orientation = _numbers(first, "ImageOrientationPatient", 6)
    spacing = _numbers(first, "PixelSpacing", 2)
    for header in images[1:]:
        found = (int(header.Rows), int(header.Columns))
        if found != size:
            raise CaseError(
                f"inconsistent size: {_name(header)} is {found[0]}x{found[1]}, "
                f"{_name(first)} is {size[0]}x{size[1]} (rows x columns); remove the slices that do not belong"
            )
        if np.abs(_numbers(header, "ImageOrientationPatient", 6) - orientation).max() > DIRECTION_TOLERANCE:
            raise CaseError(
                f"inconsistent orientation: {_name(header)} differs from {_name(first)}; "
                "remove localizers and reformats from the series"
            )
        other = _numbers(header, "PixelSpacing", 2)
        if np.abs(other - spacing).max() > SPACING_TOLERANCE:
            raise CaseError(
                f"inconsistent pixel spacing: {_name(header)} has {other.tolist()} mm, "
                f"{_name(first)} has {spacing.tolist()} mm; remove the slices that do not belong"
            )


def _directions(header: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    row, column = _numbers(header, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if np.abs(np.array([*lengths, 1.0 + row @ column]) - 1.0).max() > DIRECTION_TOLERANCE:
        raise CaseError(f"{_name(header)}: ImageOrientationPatient is not two perpendicular unit vectors")
    row, column = row / lengths[0], column / lengths[1]
    return row, column, np.cross(row, column)


def _slice_step(images: list[Any], positions: np.ndarray, normal: np.ndarray) -> float:
    """Distance between slices in mm, after checking that they are evenly spaced along the normal."""
    if len(images) == 1:
        thickness = float(images[0].get("SliceThickness") or 0.0)
        if not thickness > 0:
            raise CaseError(f"{_name(images[0])}: a single slice needs a SliceThickness, which is missing or zero")
        return thickness

    depths = positions @ normal
    steps = np.diff(depths)
    if steps.min() < DUPLICATE_DISTANCE:
        i = int(steps.argmin())
        raise CaseError(
            f"duplicate position: {_name(images[i])} and {_name(images[i + 1])} lie {steps[i]:.3f} mm apart; "
            "keep one reconstruction a folder"
        )
    _check_tilt(positions - positions[0], normal)

    step = float(np.median(steps))
    # Positions are often stored to 0.1 mm, which already bends thin slices by that much.
    uneven = np.abs(steps - step) > max(0.01 * step, 0.1 + 1e-6)
    if uneven.any():
        i = int(np.flatnonzero(uneven)[0])
        between = f"between {_name(images[i])} and {_name(images[i + 1])}"
        if steps[i] > 1.5 * step:
            raise CaseError(f"missing slice: a gap of {steps[i]:.2f} mm, not {step:.2f} mm, {between}; export it again")
        raise CaseError(f"uneven slice spacing: {steps[i]:.2f} mm, not {step:.2f} mm, {between}; resample to NIfTI")
    return float(depths[-1] - depths[0]) / (len(images) - 1)


def _check_tilt(offsets: np.ndarray, normal: np.ndarray) -> None:
    """``offsets`` (slices, 3): positions against the first. GantryDetectorTilt is nominal, so positions decide."""
    along = offsets @ normal
    in_plane = np.linalg.norm(offsets - along[:, None] * normal, axis=1)
    worst = int(in_plane.argmax())
    if in_plane[worst] > max(0.1, 0.001 * along[-1]):
        angle = np.degrees(np.arctan2(in_plane[worst], along[worst]))
        raise CaseError(
            f"gantry tilt: slices are sheared by {angle:.1f} degrees against their normal; "
            "resample the series to a rectangular grid first"
        )
