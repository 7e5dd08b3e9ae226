"""The voxel grid of a phantom: an affine as scanners write it, and the patient coordinates of every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3net_monai.utils.geometry import LPS_TO_RAS

FIELD_OF_VIEW_MM = (360.0, 360.0, 300.0)


def phantom_affine(
    shape: Sequence[int], spacing: Sequence[float] | None = None, rotation: np.ndarray | None = None
) -> np.ndarray:
    """Return the affine (4x4, RAS+, mm) of a grid whose center is the middle of the phantom's chest.

    Without a rotation the axes run towards the patient's left, back and head, as a scanner's do, so that the diagonal
    is negative, negative, positive.

    Args:
        shape: voxels along the three axes.
        spacing: mm along the three axes; by default the whole chest spreads over ``shape``.
        rotation: (3, 3), orthonormal and right-handed, of the grid in left-posterior-superior coordinates: for an
            oblique, coronal or sagittal series.
    """
    lps = np.eye(4)
    steps = np.asarray(spacing if spacing is not None else np.divide(FIELD_OF_VIEW_MM, np.asarray(shape, float)), float)
    directions = np.eye(3) if rotation is None else np.asarray(rotation, float)
    lps[:3, :3] = directions * steps
    lps[:3, 3] = -lps[:3, :3] @ ((np.asarray(shape, float) - 1) / 2)
    return LPS_TO_RAS @ lps


def voxel_coordinates(affine: np.ndarray, start: Sequence[int], stop: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Return left-posterior-superior coordinates (mm, float32) of the voxels from ``start`` to before ``stop``.

    Each of the three arrays broadcasts to ``stop - start``; an axis that a coordinate does not depend on has length 1,
    which makes axial grids several times faster than oblique ones.
    """
    lps = LPS_TO_RAS @ affine
    axes = np.ogrid[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))]
    coordinates = []
    for row in lps[:3]:
        value = np.full((1, 1, 1), row[3])
        for step, axis in zip(row[:3], axes, strict=True):
            if step != 0:
                value = value + step * axis
        coordinates.append(value.astype(np.float32))
    return tuple(coordinates)
