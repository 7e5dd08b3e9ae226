"""Conversion between the two world coordinate systems of the field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# DICOM (PS3.3 C.7.6.2.1.1), ITK and Slicer files count millimeters to the patient's left and posterior (LPS); NIfTI
# and MONAI to the right and anterior (RAS). The flip is its own inverse.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
LPS_TO_RAS.flags.writeable = False


def is_invertible(affine: np.ndarray) -> bool:
    """Return whether an affine (4, 4) gives every voxel a position of its own, whatever its unit."""
    if not np.isfinite(affine).all():
        return False
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(lengths.min() > 0 and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-6)


def corner_shift(first: np.ndarray, second: np.ndarray, shape: Sequence[int]) -> tuple[float, float]:
    """Return the largest distance between the corners of two grids of one shape, in voxels of the second and in mm.

    Args:
        first: (4, 4) affine in mm.
        second: another one.
        shape: (X, Y, Z).
    """
    corners = np.array([[*index, 1] for index in np.ndindex(2, 2, 2)]) * [*(size - 1 for size in shape), 1]
    difference = (first - second) @ corners.T
    voxels = np.linalg.inv(second[:3, :3]) @ difference[:3]
    return float(np.abs(voxels).max()), float(np.linalg.norm(difference[:3], axis=0).max())
