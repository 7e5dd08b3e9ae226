"""Geometry of a CT series, checked before anything is stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3net_monai.io.dicom.slices import directions, name_of, numbers, pixel_spacing, stack_slices
from s3net_monai.io.limits import check_voxels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS

ALLOWED = ("missing-slices", "tilt")
DUPLICATE_DISTANCE = 0.01  # mm along the normal
ROUNDING = 0.1 + 1e-6  # mm; positions are often stored to 0.1 mm, which already bends thin slices by that much
MAX_ABSENT_TOGETHER = 3  # slices; more is a hole, not a gap
MAX_GAP = 20.0  # mm between the neighbors of absent slices
MAX_ABSENT_SHARE = 0.25  # of the slices of the grid
MAX_TILT = 35.0  # degrees; gantries tilt by up to 30
MAX_POSITION = 1e5  # mm from the origin of the frame of reference
MAX_EXTENT = 5000.0  # mm along any axis of the grid


@dataclass(frozen=True)
class SeriesGeometry:
    """A validated stack and the regular rectangular grid that its volume lies on.

    Attributes:
        headers: of the real slices, ordered along the slice normal.
        affine: (4, 4) RAS+ in mm, of the grid's (column, row, slice) indices.
        shape: (columns, rows, slices) of the grid.
        corners: (len(headers), 3) grid index of every real slice's first pixel; column and row are fractions for a
            tilted gantry, and (0, 0, i) for a regular series.
        notes: what had to be done to the series, one line each.
    """

    headers: tuple[Any, ...]
    affine: np.ndarray
    shape: tuple[int, int, int]
    corners: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows) of a real slice."""
        return int(self.headers[0].Columns), int(self.headers[0].Rows)


def series_geometry(headers: Sequence[Any], allow: Sequence[str] = ()) -> SeriesGeometry:
    """Order slices by position along the normal and build the grid (PS3.3 section C.7.6.2.1.1).

    PixelSpacing is (row spacing, column spacing): the second value belongs to the row cosine, along which the
    column index grows. Slice spacing comes from positions; SliceThickness counts for a single slice alone.

    Args:
        headers: of the files of one series.
        allow: irregularities to mend instead of refusing. "missing-slices": the grid also has the absent slices, at
            most 3 in a row over 20 mm, and a quarter of all. "tilt": the grid is rectangular and covers all of the
            sheared slices, up to 35 degrees.

    Raises:
        CaseError: with the named reason where the files are not one regular CT stack.
        ValueError: for an unknown name in ``allow``.
    """
    check_allow(allow)
    images, notes = stack_slices(headers)
    row_cosine, column_cosine, normal = directions(images[0])
    row_spacing, column_spacing = pixel_spacing(images[0])
    positions = np.array([numbers(header, "ImagePositionPatient", 3) for header in images])
    _check_positions(images, positions)
    order = np.argsort(positions @ normal, kind="stable")
    images, positions = [images[i] for i in order], positions[order]

    offsets = positions - positions[0]
    depths = offsets @ normal
    _check_duplicates(images, depths)
    shifts = np.stack([offsets @ row_cosine / column_spacing, offsets @ column_cosine / row_spacing], axis=1)
    angle = _tilt(images, offsets, depths, normal)
    if angle:
        _check_tilt(angle, allow)
        notes.append(
            f"gantry tilt of {angle:.1f} degrees: resampled to a rectangular grid; readers may misplace its DICOM SEG"
        )
    else:
        shifts = np.zeros_like(shifts)
    indices, step = _slice_indices(images, depths)
    count = int(indices[-1]) + 1
    if count > len(images):
        _check_gaps(images, depths, indices, step, allow)
        absent = count - len(images)
        notes.append(f"{absent} of {count} slices missing: filled by linear interpolation between neighbors")

    before = np.floor(shifts.min(axis=0) + 1e-6)
    shifts = shifts - before
    columns, rows = np.array([images[0].Columns, images[0].Rows]) + np.ceil(shifts.max(axis=0) - 1e-6)
    shape = (int(columns), int(rows), count)
    affine = np.eye(4)
    affine[:3, 0] = row_cosine * column_spacing
    affine[:3, 1] = column_cosine * row_spacing
    affine[:3, 2] = normal * step
    affine[:3, 3] = positions[0] + affine[:3, :2] @ before
    _check_extent(images[0], shape, (column_spacing, row_spacing, step))
    corners = np.column_stack([shifts, indices])
    return SeriesGeometry(tuple(images), LPS_TO_RAS @ affine, shape, corners, tuple(notes))


def check_allow(allow: Sequence[str]) -> None:
    """Refuse names that ``series_geometry`` does not know.

    Raises:
        ValueError: naming them and what is known.
    """
    unknown = sorted(set(allow) - set(ALLOWED))
    if unknown:
        raise ValueError(f"allow: {', '.join(unknown)} not known; give {' or '.join(ALLOWED)}")


def masks_on_slices(array: np.ndarray, geometry: SeriesGeometry) -> np.ndarray:
    """A label array (X, Y, Z) on the grid as (slices, rows, columns) on the real slices, in the order of the headers.

    The nearest voxel counts; for a regular series this is a transpose.
    """
    if array.shape != geometry.shape:
        raise ValueError(f"array of {array.shape} does not lie on the series' grid of {geometry.shape}")
    columns, rows = geometry.size
    masks = np.empty((len(geometry.headers), rows, columns), dtype=array.dtype)
    for target, (x, y, z) in zip(masks, np.rint(geometry.corners).astype(int), strict=True):
        target[...] = array[x : x + columns, y : y + rows, z].T
    return masks


def _check_positions(images: list[Any], positions: np.ndarray) -> None:
    far = np.abs(positions).max(axis=1) > MAX_POSITION
    if far.any():
        name = name_of(images[int(far.argmax())])
        raise CaseError(f"{name}: ImagePositionPatient is more than {MAX_POSITION / 1000:.0f} m off; export it again")


def _check_duplicates(images: list[Any], depths: np.ndarray) -> None:
    steps = np.diff(depths)
    if len(steps) and steps.min() < DUPLICATE_DISTANCE:
        i = int(steps.argmin())
        raise CaseError(
            f"duplicate position: {name_of(images[i])} and {name_of(images[i + 1])} lie {steps[i]:.3f} mm apart; "
            "keep one reconstruction a folder"
        )


def _tilt(images: list[Any], offsets: np.ndarray, depths: np.ndarray, normal: np.ndarray) -> float:
    """Angle in degrees between the line through the first pixels and the normal; 0 within the tolerance.

    ``offsets`` (slices, 3): positions against the first. GantryDetectorTilt is nominal, so positions decide.
    """
    in_plane = offsets - depths[:, None] * normal
    tolerance = max(ROUNDING, 0.001 * depths[-1])
    if np.linalg.norm(in_plane, axis=1).max() <= tolerance:
        return 0.0
    slope = depths @ in_plane / (depths @ depths) if len(images) > 1 else np.zeros(3)
    astray = np.linalg.norm(in_plane - depths[:, None] * slope, axis=1)
    worst = int(astray.argmax())
    if astray[worst] > tolerance:
        raise CaseError(
            f"uneven slice position: {name_of(images[worst])} lies {astray[worst]:.1f} mm beside the line through the "
            "other slices; resample to NIfTI"
        )
    return float(np.degrees(np.arctan(np.linalg.norm(slope))))


def _check_tilt(angle: float, allow: Sequence[str]) -> None:
    sheared = f"gantry tilt: slices are sheared by {angle:.1f} degrees against their normal"
    if angle > MAX_TILT:
        raise CaseError(f"{sheared}, which no gantry does (at most {MAX_TILT:.0f}); export the series again")
    if "tilt" not in allow:
        raise CaseError(f"{sheared}; resample the series to a rectangular grid first, or give --allow tilt")


def _slice_indices(images: list[Any], depths: np.ndarray) -> tuple[np.ndarray, float]:
    """The place of every slice on an even grid, and the grid's spacing in mm."""
    if len(images) == 1:
        thickness = float(numbers(images[0], "SliceThickness", 1)[0]) if images[0].get("SliceThickness") else 0.0
        if not thickness > 0:
            raise CaseError(f"{name_of(images[0])}: a single slice needs a SliceThickness, which is missing or zero")
        return np.zeros(1), thickness
    steps = np.diff(depths)
    median = float(np.median(steps))
    jumps = np.maximum(np.rint(steps / median), 1.0)
    uneven = np.abs(steps - jumps * median) > max(0.01 * median, ROUNDING) * jumps
    if uneven.any():
        i = int(np.flatnonzero(uneven)[0])
        raise CaseError(
            f"uneven slice spacing: {steps[i]:.2f} mm, not {median:.2f} mm, "
            f"between {name_of(images[i])} and {name_of(images[i + 1])}; resample to NIfTI"
        )
    indices = np.concatenate([[0.0], np.cumsum(jumps)])
    # The whole length over all steps is the median spacing without the rounding of single positions.
    step = float(depths[-1] / indices[-1])
    drift = np.abs(depths - indices * step)
    if drift.max() > max(0.1 * step, ROUNDING):
        i = int(drift.argmax())
        raise CaseError(
            f"uneven slice spacing: {name_of(images[i])} lies {drift[i]:.2f} mm off an even grid of {step:.2f} mm; "
            "resample to NIfTI"
        )
    return indices, step


def _check_gaps(images: list[Any], depths: np.ndarray, indices: np.ndarray, step: float, allow: Sequence[str]) -> None:
    jumps = np.diff(indices)
    i = int(jumps.argmax())
    gap = float(depths[i + 1] - depths[i])
    between = f"between {name_of(images[i])} and {name_of(images[i + 1])}"
    found = f"missing slice: a gap of {gap:.2f} mm, not {step:.2f} mm, {between}"
    if jumps[i] - 1 > MAX_ABSENT_TOGETHER or gap > MAX_GAP:
        raise CaseError(
            f"{found}; too wide to fill (at most {MAX_ABSENT_TOGETHER} slices and {MAX_GAP:.0f} mm), export it again"
        )
    count = int(indices[-1]) + 1
    absent = count - len(images)
    if absent > MAX_ABSENT_SHARE * count:
        raise CaseError(f"{found}; {absent} of {count} slices are missing, too many to fill; export it again")
    if "missing-slices" not in allow:
        raise CaseError(f"{found}; export it again, or give --allow missing-slices")


def _check_extent(header: Any, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    sizes = [count * step for count, step in zip(shape, spacing, strict=True)]
    if max(sizes) > MAX_EXTENT:
        raise CaseError(
            f"{name_of(header)}: the series would span {max(sizes):.0f} mm, at most {MAX_EXTENT:.0f} mm expected; "
            "check PixelSpacing and ImagePositionPatient"
        )
    check_voxels(name_of(header), shape)
