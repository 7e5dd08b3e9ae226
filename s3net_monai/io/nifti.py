"""Writer of NIfTI-1 masks on exactly the grid of their source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.itk_affine import nifti_in_itk
from s3net_monai.io.mask import Mask
from s3net_monai.io.source_grid import nifti_source, viewer_affine

# Fields that position the voxels (NIfTI-1 "3D image orientation and location in space"); free text and intent are not
# copied.
POSITION_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)
SCANNER_CODE = 1  # NIFTI_XFORM_SCANNER_ANAT


def write_nifti(mask: Mask, path: Path) -> None:
    """Write a mask as uint8 NIfTI.

    A NIfTI source's qform, sform and their codes are copied bit for bit; for other sources both are the affine. A qform
    is added where ITK reads the source neither way, since its axes are not quite at right angles.

    Raises:
        CaseError: if the position of a 2-D image is ambiguous.
    """
    import nibabel as nib  # and all of pydicom, which a run of pictures does not need

    affine = viewer_affine(mask) if mask.array.ndim == 2 else mask.affine
    image = nib.Nifti1Image(mask.array.astype(np.uint8, copy=False), affine)
    image.set_sform(affine, SCANNER_CODE)
    image.set_qform(affine, SCANNER_CODE)
    source = nifti_source(mask)
    if source is not None:
        header: Any = image.header
        for field in POSITION_FIELDS:
            header[field] = source[field]
        header["pixdim"][:4] = source["pixdim"][:4]
        if nifti_in_itk(header) is None:
            header.set_qform(affine, SCANNER_CODE)
        image = nib.Nifti1Image(image.dataobj, None, header)
    nib.save(image, path)
