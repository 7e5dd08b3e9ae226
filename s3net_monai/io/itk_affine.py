"""Where ITK, and so 3D Slicer and ITK-SNAP, puts voxels."""

from __future__ import annotations

from typing import Any

import numpy as np

from s3net_monai.utils.geometry import LPS_TO_RAS
from s3net_monai.utils.scratch import scratch_folder

SAME_PLACE_MM = 0.01
VIEWERS = "viewers built on ITK (3D Slicer, ITK-SNAP)"
NIFTI_1_HEADER = 348  # bytes


def itk_to_ras(image: Any) -> np.ndarray:
    """Return the affine (4, 4) RAS+ of a SimpleITK image, or of a reader that has read the information of one."""
    count = image.GetDimension()
    used = min(count, 3)
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(count, count) * np.array(image.GetSpacing())
    affine[:used, :used] = directions[:used, :used]
    affine[:used, 3] = image.GetOrigin()[:used]
    return LPS_TO_RAS @ affine


def nifti_in_itk(raw: Any) -> np.ndarray | None:
    """Return where ITK puts the voxels of a NIfTI header, (4, 4) RAS+ in mm; None if ITK does not read it.

    ITK itself is asked, since its rules are many and change with its versions. It gets the bare header, as it goes by
    the case of file names.

    Args:
        raw: nibabel's header, with every field as it is stored.
    """
    import SimpleITK

    if raw.sizeof_hdr != NIFTI_1_HEADER:  # NIfTI-2, which ITK's library does not know
        return None
    header = raw.copy()
    header["magic"], header["vox_offset"] = b"n+1", NIFTI_1_HEADER + 4
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NiftiImageIO")
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings contain the whole path
    with scratch_folder() as folder:
        path = folder / "header.nii"
        path.write_bytes(header.binaryblock + bytes(4))
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:  # axes that are not at right angles
            return None
    return itk_to_ras(reader)
