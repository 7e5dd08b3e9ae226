"""MONAI image reader for NIfTI, for a bundle's ``LoadImaged``."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.limits import MAX_NIFTI_OFFSET
from s3net_monai.io.nifti_header import NiftiHeader, is_nifti, read_nifti_header
from s3net_monai.io.shear import resample_sheared
from s3net_monai.io.volume_file_reader import VolumeFileReader
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

BLOCK = 2**24  # bytes that are expanded at a time


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
    header = read_nifti_header(path, allow)
    array, affine = read_voxels(path, header), header.affine
    if header.shear:
        array, affine = resample_sheared(path.name, array, affine)
    return array, affine, header.notes


def read_voxels(path: Path, header: NiftiHeader) -> np.ndarray:
    """Return the voxels of a file, of the shape that its header states, without trailing axes of length 1.

    Raises:
        CaseError: if its compressed stream is damaged, or holds more than its header says.
    """
    import nibabel

    image: Any = nibabel.load(path)
    if path.name.lower().endswith(".gz"):
        _check_stream(path, math.prod(header.shape) * image.get_data_dtype().itemsize + MAX_NIFTI_OFFSET)
    return np.asanyarray(image.dataobj).reshape(header.shape)


def _check_stream(path: Path, limit: int) -> None:
    """Expand a gzip stream to its end, whose checksum tells of damage: nibabel stops where it has the voxels.

    Args:
        path: the file.
        limit: bytes that it may hold.

    Raises:
        CaseError: if it is damaged, or holds more than its header says.
    """
    expanded = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(BLOCK):
                expanded += len(block)
                if expanded > limit:
                    raise CaseError(f"{path.name}: holds more than the voxels of its header; save it again")
    except (OSError, EOFError, zlib.error) as error:
        raise CaseError(f"{path.name}: damaged or cut off ({one_line(error)}); copy the file again") from error
