"""Volumes whose axes are not at right angles, as a tilted gantry leaves them: refused, or resampled on request."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from s3net_monai.io.dicom.geometry import MAX_TILT, Irregularity
from s3net_monai.io.limits import check_voxels
from s3net_monai.utils.errors import CaseError

ROUNDING_DEGREES = 0.2  # columns of 0.7 mm that are stored to three decimals bend by 0.1


def shear_degrees(affine: np.ndarray) -> float:
    """Return how far the angle between two axes is off 90 degrees, the most of the three; 0 within rounding.

    Args:
        affine: (4, 4), invertible.
    """
    cosines = _cosines(affine)
    angle = float(np.degrees(np.arcsin(min(1.0, max(cosines.values())))))
    return angle if angle > ROUNDING_DEGREES else 0.0


def check_shear(name: str, affine: np.ndarray, allow: Sequence[str]) -> float:
    """Return ``shear_degrees``, if it is 0 or may be repaired.

    Args:
        name: of the file, for the message.
        affine: (4, 4), invertible.
        allow: values of ``Irregularity`` to repair instead of refusing.

    Raises:
        CaseError: for a shear without ``Irregularity.TILT``, or above ``MAX_TILT``.
    """
    angle = shear_degrees(affine)
    if not angle:
        return 0.0
    found = f"{name}: its axes are sheared by {angle:.1f} degrees, a rectangular grid expected"
    if angle > MAX_TILT:
        raise CaseError(f"{found} (no gantry tilts by more than {MAX_TILT:.0f}); repair the header")
    if Irregularity.TILT not in allow:
        raise CaseError(f"{found}; resample it first, or give --allow tilt")
    return angle


def resample_sheared(
    name: str, array: np.ndarray, affine: np.ndarray, *, labels: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Resample a sheared volume, linearly, to a rectangular grid that covers all of it.

    The two axes that are closest to a right angle keep their plane, so that the slices of a tilted gantry are only
    shifted. What the volume does not cover gets its lowest value, air in CT.

    Args:
        name: of the file, for the message.
        array: (X, Y, Z).
        affine: (4, 4) in mm, invertible.
        labels: whether the values are those of labels: the nearest is taken, and background surrounds them.

    Returns:
        The array, of the same data type, and its affine (4, 4).

    Raises:
        CaseError: if the grid is beyond the limits of ``io.limits``.
    """
    from scipy.ndimage import affine_transform

    grid, shape = _rectangular_grid(affine, array.shape)
    check_voxels(name, shape)
    to_stored = np.linalg.inv(affine) @ grid
    values = array if array.dtype.kind == "f" else array.astype(np.float64 if labels else np.float32)
    lowest = float(np.min(values, where=np.isfinite(values), initial=np.inf))
    order, outside = (0, 0.0) if labels else (1, lowest if values.size else 0.0)
    resampled = affine_transform(
        values, to_stored[:3, :3], to_stored[:3, 3], output_shape=shape, order=order, cval=outside
    )
    return (resampled if array.dtype.kind == "f" else np.rint(resampled)).astype(array.dtype), grid


def _cosines(affine: np.ndarray) -> dict[tuple[int, int], float]:
    """Return the absolute cosine between every two axes."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return {(i, j): abs(float(axes[:, i] @ axes[:, j])) for i, j in combinations(range(3), 2)}


def _rectangular_grid(affine: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the affine and the shape of the rectangular grid around a sheared one."""
    cosines = _cosines(affine)
    first, second = min(cosines, key=lambda pair: cosines[pair])
    (third,) = {0, 1, 2} - {first, second}
    grid = affine.copy()
    for axis, earlier in ((second, [first]), (third, [first, second])):
        for other in earlier:
            unit = grid[:3, other] / np.linalg.norm(grid[:3, other])
            grid[:3, axis] -= (grid[:3, axis] @ unit) * unit
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape], indexing="ij")).reshape(3, -1)
    indices = np.linalg.solve(grid[:3, :3], affine[:3, :3] @ corners)
    start, end = np.floor(indices.min(axis=1) + 1e-6), np.ceil(indices.max(axis=1) - 1e-6)
    grid[:3, 3] += grid[:3, :3] @ start
    return grid, tuple(int(size) for size in end - start + 1)
