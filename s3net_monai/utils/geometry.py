"""Conversion between the two world coordinate systems of the field."""

from __future__ import annotations

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
