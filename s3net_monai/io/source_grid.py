"""The grid of a mask's source, as its own header states it and as viewers place it."""

from __future__ import annotations

from typing import Any

import numpy as np

from s3net_monai.io.image_to_lps import image_to_lps
from s3net_monai.io.itk_affine import SAME_PLACE_MM, nifti_in_itk
from s3net_monai.io.mask import Mask
from s3net_monai.io.nifti_header import is_nifti, read_nifti_header
from s3net_monai.io.shear import shear_degrees
from s3net_monai.io.volume_header import is_volume
from s3net_monai.io.volume_reader import volume_places
from s3net_monai.utils.geometry import LPS_TO_RAS, corner_shift


def nifti_source(mask: Mask) -> Any | None:
    """Return the header, as it is stored, of a NIfTI source whose grid the mask has; else None.

    A mask has another grid than its source where a sheared one was resampled.
    """
    if len(mask.source) != 1 or not is_nifti(mask.source[0]):
        return None
    header = read_nifti_header(mask.source[0], mask.allow)
    return None if header.shear else header.raw


def viewer_affine(mask: Mask) -> np.ndarray:
    """Return where ITK, and so 3D Slicer and ITK-SNAP, shows the source's voxels under the mask, (4, 4) RAS+ in mm.

    Where they show the source at the mask's own affine, or not at all, this is that affine.

    Raises:
        CaseError: if the position of a 2-D image is ambiguous.
    """
    if mask.array.ndim == 2:
        return LPS_TO_RAS @ image_to_lps(mask.source[0], mask.array.shape)
    seen = None
    if (raw := nifti_source(mask)) is not None:
        seen = nifti_in_itk(raw)
    elif len(mask.source) == 1 and is_volume(mask.source[0]):
        stated, seen = volume_places(mask.source[0])
        seen = None if shear_degrees(stated) else seen
    if seen is None or corner_shift(seen, mask.affine, mask.array.shape)[1] <= SAME_PLACE_MM:
        return mask.affine
    return seen
