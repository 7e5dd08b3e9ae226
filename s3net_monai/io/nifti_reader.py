"""MONAI image reader for NIfTI, for a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.dicom.geometry import check_allow
from s3net_monai.io.nifti_header import is_nifti, read_nifti_header
from s3net_monai.io.shear import resample_sheared


class NiftiReader(ImageReader):
    """Image reader for one NIfTI file: (X, Y, Z) with nibabel's own affine, in mm.

    MONAI's ``NibabelReader`` replaces the sform by the qform where voxel sizes differ by more than 1e-5, also where
    the file says that its qform holds nothing.

    As in ``DicomSeriesReader``, ``read`` raises for inputs of other formats only, and a bad file is refused in
    ``get_data``, whose error ends the load: ``LoadImage`` goes on to other readers whenever ``read`` raises.

    Args:
        allow: values of ``Irregularity`` to repair instead of refusing: "tilt" resamples sheared axes. The metadata
            describe under "notes", a list of lines, what a user must know of the position.

    Raises:
        ValueError: if a name in ``allow`` is unknown.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> from monai.transforms import LoadImage
        >>> path = f"{tempfile.mkdtemp()}/a.nii.gz"
        >>> nibabel.save(nibabel.Nifti1Image(numpy.zeros((30, 20, 10), numpy.int16), numpy.diag([3, 3, 5, 1])), path)
        >>> LoadImage(reader=NiftiReader(), image_only=True)(path).pixdim.tolist()
        [3.0, 3.0, 5.0]
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        super().__init__()
        check_allow(allow)
        self.allow = tuple(allow)

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is one NIfTI file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and is_nifti(paths[0])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Path:
        """Return the path to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a NIfTI file: {data}")
        return Path(ensure_tuple(data)[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the voxels (X, Y, Z), or (X, Y), with their scale applied, and their MONAI metadata.

        Raises:
            CaseError: with the reason, if the file is not one sound volume of one channel.
        """
        array, affine, notes = load_nifti(img, self.allow)
        metadata: dict[str, Any] = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.SPACE: SpaceKeys.RAS,
        }
        if notes:
            metadata["notes"] = list(notes)
        return array, metadata


def load_nifti(path: Path, allow: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Load the array (X, Y, Z) or (X, Y), the RAS+ affine (4, 4) in mm and the notes of a NIfTI file.

    Args:
        path: the file.
        allow: values of ``Irregularity`` to repair instead of refusing.

    Raises:
        CaseError: with the reason, if it is not one sound volume of one channel.
    """
    import nibabel

    header = read_nifti_header(path, allow)
    image: Any = nibabel.load(path)
    array = np.asanyarray(image.dataobj).reshape(header.shape)  # without trailing axes of length 1
    affine = header.affine
    if header.shear:
        array, affine = resample_sheared(path.name, array, affine)
    return array, affine, header.notes
