"""MONAI image reader for NIfTI, for a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s3net_monai.io.nifti_file import open_nifti, read_voxels
from s3net_monai.io.nifti_header import check_nifti_file, is_nifti
from s3net_monai.io.shear import resample_sheared
from s3net_monai.io.volume_file_reader import VolumeFileReader


class NiftiReader(VolumeFileReader):
    """Image reader for NIfTI: (X, Y, Z), or (X, Y), with its scale applied and nibabel's own affine, in mm.

    MONAI's ``NibabelReader`` replaces the sform by the qform where voxel sizes differ by more than 1e-5, also where
    the file says that its qform holds nothing.

    Args:
        allow: as for ``VolumeFileReader``.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> from monai.transforms import LoadImage
        >>> path = f"{tempfile.mkdtemp()}/a.nii.gz"
        >>> nibabel.save(nibabel.Nifti1Image(numpy.zeros((30, 20, 10), numpy.int16), numpy.diag([3, 3, 5, 1])), path)
        >>> LoadImage(reader=NiftiReader(), image_only=True)(path).pixdim.tolist()
        [3.0, 3.0, 5.0]
    """

    format_name = "a NIfTI file"

    def takes(self, path: Path) -> bool:
        """Return whether a file has a suffix of NIfTI."""
        return is_nifti(path)

    def load(self, path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return what ``load_nifti`` returns.

        Raises:
            CaseError: with the reason, if it is not one sound volume of one channel.
        """
        return load_nifti(path, self.allow)


def load_nifti(path: Path, allow: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Load the array (X, Y, Z) or (X, Y), the RAS+ affine (4, 4) in mm and the notes of a NIfTI file.

    Args:
        path: the file.
        allow: values of ``Irregularity`` to repair instead of refusing.

    Raises:
        CaseError: with the reason, if it is not one sound volume of one channel.
    """
    with open_nifti(path) as file:
        header = check_nifti_file(file, allow)
        array, notes = read_voxels(file, header.shape)
    affine = header.affine
    if header.shear:
        array, affine = resample_sheared(path.name, array, affine)
    return array, affine, (*header.notes, *notes)
