"""Geometry of a CT or MR series, checked before its slices are stacked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from monai.utils import StrEnum

from s3net_monai.io.dicom.acquisitions import check_one_acquisition, differing_identifier
from s3net_monai.io.dicom.header import (
    SliceHeader,
    read_directions,
    read_numbers,
    read_pixel_spacing,
    stated_length,
)
from s3net_monai.io.dicom.slices import select_stack
from s3net_monai.io.limits import MAX_EXTENT_MM, MAX_POSITION_MM, check_voxels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS

MIN_SLICE_DISTANCE = 0.01  # mm along the normal; slices that are closer are duplicates
ROUNDING = 0.1 + 1e-6  # mm; positions are often stored to 0.1 mm, which already bends thin slices by that much
MAX_CONSECUTIVE_MISSING = 3  # slices; more is a hole, not a gap
MAX_GAP = 20.0  # mm between the neighbors of missing slices
MAX_MISSING_FRACTION = 0.25  # of the slices of the grid
UNKNOWN_THICKNESS = 1.0  # mm, of a single slice whose header states none
MAX_TILT = 35.0  # degrees; gantries tilt by up to 30


class Irregularity(StrEnum):
    """A deviation from a regular rectangular stack that ``--allow`` has repaired instead of refused.

    Attributes:
        MISSING_SLICES: the grid also has the missing slices, at most 3 in a row over 20 mm, and a quarter of all.
        TILT: the grid is rectangular and covers all of the sheared slices, up to 35 degrees.
    """

    MISSING_SLICES = "missing-slices"
    TILT = "tilt"


@dataclass(frozen=True, kw_only=True)
class SeriesGeometry:
    """A validated stack and the regular rectangular grid of its volume.

    Attributes:
        headers: of the real slices, ordered along the slice normal.
        affine: (4, 4) RAS+ in mm, of the grid's (column, row, slice) indices.
        shape: (columns, rows, slices) of the grid.
        corners: (len(headers), 3) grid index of every real slice's first pixel; column and row are fractions for a
            tilted gantry, and (0, 0, i) for a regular series.
        notes: one line per repair of the series.
    """

    headers: tuple[SliceHeader, ...]
    affine: np.ndarray
    shape: tuple[int, int, int]
    corners: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows) of a real slice."""
        first = self.headers[0].dataset
        return int(first.Columns), int(first.Rows)


def build_geometry(headers: Sequence[SliceHeader], allow: Sequence[str] = (), modality: str = "CT") -> SeriesGeometry:
    """Order slices by position along the normal and build the grid (PS3.3 section C.7.6.2.1.1).

    PixelSpacing is (row spacing, column spacing): the second value belongs to the row cosine, along which the
    column index grows. Slice spacing comes from positions; SliceThickness only counts for a single slice.
    Several multi-frame objects are joined where their frames make one stack.

    Args:
        headers: of the files of one series.
        allow: values of ``Irregularity`` to repair instead of refusing.
        modality: "CT" or "MR", which all images must be.

    Raises:
        CaseError: with the reason, if the files are not one regular stack of this modality.
        ValueError: if a name in ``allow`` is unknown.
    """
    allowed = check_allow(allow)
    images, notes = select_stack(headers, modality)
    files = {header.path for header in images if header.num_frames > 1}
    try:
        return _build_grid(images, notes, allowed)
    except CaseError as error:
        if len(files) < 2:
            raise
        raise CaseError(
            f"several multi-frame objects: each of {len(files)} files holds a part, and joined they are no even stack "
            f"({error})"
        ) from error


def _build_grid(images: list[SliceHeader], notes: list[str], allowed: Collection[Irregularity]) -> SeriesGeometry:
    row_cosine, column_cosine, normal = read_directions(images[0])
    row_spacing, column_spacing = read_pixel_spacing(images[0])
    positions = np.array([read_numbers(header, "ImagePositionPatient", 3) for header in images])
    _check_positions(images, positions)
    order = np.argsort(positions @ normal, kind="stable")
    images, positions = [images[i] for i in order], positions[order]

    offsets = positions - positions[0]
    depths = offsets @ normal
    _check_duplicates(images, depths)
    check_one_acquisition(images, np.arange(len(images)))  # an uneven stack has this reason, too
    shifts = np.stack([offsets @ row_cosine / column_spacing, offsets @ column_cosine / row_spacing], axis=1)
    angle = _tilt_degrees(images, offsets, normal)
    if angle:
        _check_tilt(angle, allowed)
        notes.append(
            f"gantry tilt of {angle:.1f} degrees: resampled to a rectangular grid; readers may misplace its DICOM SEG"
        )
    else:
        shifts = np.zeros_like(shifts)
    if len(images) == 1:
        indices, step = np.zeros(1), _thickness(images[0], notes)
    else:
        indices, step = _slice_indices(images, depths)
    count = int(indices[-1]) + 1
    if count > len(images):
        check_one_acquisition(images, indices.astype(int))
        _check_gaps(images, depths, indices, allowed)
        missing = count - len(images)
        notes.append(f"{missing} of {count} slices missing: filled by linear interpolation between neighbors")

    first_index = np.floor(shifts.min(axis=0) + 1e-6)
    shifts = shifts - first_index
    first = images[0].dataset
    columns, rows = np.array([first.Columns, first.Rows]) + np.ceil(shifts.max(axis=0) - 1e-6)
    shape = (int(columns), int(rows), count)
    affine = np.eye(4)
    affine[:3, 0] = row_cosine * column_spacing
    affine[:3, 1] = column_cosine * row_spacing
    affine[:3, 2] = normal * step
    affine[:3, 3] = positions[0] + affine[:3, :2] @ first_index
    _check_extent(images[0], shape, (column_spacing, row_spacing, step))
    corners = np.column_stack([shifts, indices])
    return SeriesGeometry(
        headers=tuple(images), affine=LPS_TO_RAS @ affine, shape=shape, corners=corners, notes=tuple(notes)
    )


def check_allow(allow: Sequence[str]) -> frozenset[Irregularity]:
    """Return the irregularities that ``allow`` names.

    Raises:
        ValueError: naming the unknown names, and those that are known.
    """
    names = [irregularity.value for irregularity in Irregularity]
    unknown = sorted(set(allow) - set(names))
    if unknown:
        raise ValueError(f"allow: {', '.join(unknown)} not known; give {' or '.join(names)}")
    return frozenset(Irregularity(name) for name in allow)


def masks_on_slices(array: np.ndarray, geometry: SeriesGeometry) -> np.ndarray:
    """Sample a label array (X, Y, Z) on the grid at the pixels of the real slices.

    The nearest voxel counts.

    Returns:
        (slices, rows, columns), in the order of ``geometry.headers``; for a regular series a view of ``array``.
    """
    if array.shape != geometry.shape:
        raise ValueError(f"array of {array.shape} does not lie on the series' grid of {geometry.shape}")
    columns, rows = geometry.size
    if geometry.shape == (columns, rows, len(geometry.headers)):
        return array.T
    masks = np.empty((len(geometry.headers), rows, columns), dtype=array.dtype)
    for target, (x, y, z) in zip(masks, np.rint(geometry.corners).astype(int), strict=True):
        target[...] = array[x : x + columns, y : y + rows, z].T
    return masks


def _check_positions(images: list[SliceHeader], positions: np.ndarray) -> None:
    implausible = np.abs(positions).max(axis=1) > MAX_POSITION_MM
    if implausible.any():
        name = images[int(implausible.argmax())].name
        raise CaseError(
            f"{name}: ImagePositionPatient is more than {MAX_POSITION_MM / 1000:.0f} m off; export it again"
        )


def _check_duplicates(images: list[SliceHeader], depths: np.ndarray) -> None:
    steps = np.diff(depths)
    if len(steps) and steps.min() < MIN_SLICE_DISTANCE:
        i = int(steps.argmin())
        differing = differing_identifier(images[i], images[i + 1])
        raise CaseError(
            f"duplicate position: {images[i].name} and {images[i + 1].name} are {steps[i]:.3f} mm apart"
            f"{f' and differ in {differing}' if differing else ''}; keep one reconstruction per folder"
        )


def _tilt_degrees(images: list[SliceHeader], offsets: np.ndarray, normal: np.ndarray) -> float:
    """Return the angle between the line through the first pixels and the normal; 0 within the tolerance.

    GantryDetectorTilt is nominal, so positions decide.

    Args:
        images: of the slices, for messages.
        offsets: (slices, 3) positions relative to the first, in mm.
        normal: (3,) unit vector.
    """
    depths = offsets @ normal
    in_plane = offsets - depths[:, None] * normal
    tolerance = max(ROUNDING, 0.001 * depths[-1])
    if np.linalg.norm(in_plane, axis=1).max() <= tolerance:
        return 0.0
    slope = depths @ in_plane / (depths @ depths) if len(images) > 1 else np.zeros(3)
    deviations = np.linalg.norm(in_plane - depths[:, None] * slope, axis=1)
    worst = int(deviations.argmax())
    if deviations[worst] > tolerance:
        raise CaseError(
            f"uneven slice position: {images[worst].name} is {deviations[worst]:.1f} mm off the line through the "
            "other slices; resample to NIfTI"
        )
    return float(np.degrees(np.arctan(np.linalg.norm(slope))))


def _check_tilt(angle: float, allowed: Collection[Irregularity]) -> None:
    sheared = f"gantry tilt: slices are sheared by {angle:.1f} degrees against their normal"
    if angle > MAX_TILT:
        raise CaseError(f"{sheared}, which no gantry does (at most {MAX_TILT:.0f}); export the series again")
    if Irregularity.TILT not in allowed:
        raise CaseError(f"{sheared}; resample the series to a rectangular grid first, or give --allow tilt")


def _thickness(image: SliceHeader, notes: list[str]) -> float:
    """Return the thickness of a single slice in mm; a note says what was taken where the header states none."""
    if thickness := stated_length(image, "SliceThickness"):
        return thickness
    spacing = stated_length(image, "SpacingBetweenSlices")
    source = "its SpacingBetweenSlices" if spacing else "which says nothing about the patient"
    taken = spacing or UNKNOWN_THICKNESS
    notes.append(f"{image.name}: a single slice without SliceThickness; volumes in ml are of {taken:g} mm, {source}")
    return taken


def _slice_indices(images: list[SliceHeader], depths: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the index of every slice on an even grid, and the grid's spacing in mm."""
    steps = np.diff(depths)
    median = float(np.median(steps))
    jumps = np.maximum(np.rint(steps / median), 1.0)
    uneven = np.abs(steps - jumps * median) > max(0.01 * median, ROUNDING) * jumps
    if uneven.any():
        i = int(np.flatnonzero(uneven)[0])
        raise CaseError(
            f"uneven slice spacing: {steps[i]:.2f} mm, not {median:.2f} mm, "
            f"between {images[i].name} and {images[i + 1].name}; resample to NIfTI"
        )
    indices = np.concatenate([[0.0], np.cumsum(jumps)])
    # The whole length over all steps is the median spacing without the rounding of single positions.
    step = float(depths[-1] / indices[-1])
    drift = np.abs(depths - indices * step)
    if drift.max() > max(0.1 * step, ROUNDING):
        i = int(drift.argmax())
        raise CaseError(
            f"uneven slice spacing: {images[i].name} is {drift[i]:.2f} mm off an even grid of {step:.2f} mm; "
            "resample to NIfTI"
        )
    return indices, step


def _check_gaps(
    images: list[SliceHeader], depths: np.ndarray, indices: np.ndarray, allowed: Collection[Irregularity]
) -> None:
    jumps = np.diff(indices)
    step = float(depths[-1] / indices[-1])
    i = int(jumps.argmax())
    gap = float(depths[i + 1] - depths[i])
    between = f"between {images[i].name} and {images[i + 1].name}"
    description = f"missing slice: a gap of {gap:.2f} mm, not {step:.2f} mm, {between}"
    if jumps[i] - 1 > MAX_CONSECUTIVE_MISSING or gap > MAX_GAP:
        raise CaseError(
            f"{description}; too wide to fill (at most {MAX_CONSECUTIVE_MISSING} slices and {MAX_GAP:.0f} mm), "
            "export it again"
        )
    count = int(indices[-1]) + 1
    missing = count - len(images)
    if missing > MAX_MISSING_FRACTION * count:
        raise CaseError(f"{description}; {missing} of {count} slices are missing, too many to fill; export it again")
    if Irregularity.MISSING_SLICES not in allowed:
        raise CaseError(f"{description}; export it again, or give --allow missing-slices")


def _check_extent(header: SliceHeader, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    sizes = [count * step for count, step in zip(shape, spacing, strict=True)]
    if max(sizes) > MAX_EXTENT_MM:
        raise CaseError(
            f"{header.name}: the series would span {max(sizes):.0f} mm, at most {MAX_EXTENT_MM:.0f} mm expected; "
            "check PixelSpacing and ImagePositionPatient"
        )
    check_voxels(header.name, shape)
