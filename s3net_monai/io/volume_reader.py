"""MONAI image reader for NRRD and MetaImage, for a bundle's ``LoadImaged``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.file_formats import META_SUFFIXES, NRRD_SUFFIXES
from s3net_monai.io.volume_header import check_deflated_voxels, read_volume_header
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS
from s3net_monai.utils.messages import one_line

MIN_DETERMINANT = 1e-9  # mm3 of a voxel, as for NIfTI


class VolumeReader(ImageReader):
    """Image reader for one .nrrd, .nhdr, .mha or .mhd file: (X, Y, Z) with a RAS+ affine.

    As in ``DicomSeriesReader``, ``read`` raises for inputs of other formats only, and a bad file is refused in
    ``get_data``, whose error ends the load: ``LoadImage`` goes on to other readers whenever ``read`` raises.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is one NRRD or MetaImage file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and paths[0].suffix.lower() in (*NRRD_SUFFIXES, *META_SUFFIXES)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Path:
        """Return the path to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not an NRRD or MetaImage file: {data}")
        return Path(ensure_tuple(data)[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the volume (X, Y, Z) as stored and its MONAI metadata.

        Raises:
            CaseError: with the reason, if the file is not one sound 3-D volume of one channel.
        """
        array, affine = load_volume(img)
        return array, {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.SPACE: SpaceKeys.RAS,
        }


def load_volume(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Load the array (X, Y, Z) and the RAS+ affine (4, 4) in mm of an NRRD or MetaImage file.

    Raises:
        CaseError: with the reason, if it is not one sound 3-D volume of one channel.
    """
    import SimpleITK

    header = read_volume_header(path)
    check_deflated_voxels(path, header)
    # ITK writes warnings with the whole path to stderr, past every log.
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    image_io = "NrrdImageIO" if path.suffix.lower() in NRRD_SUFFIXES else "MetaImageIO"
    try:
        image = SimpleITK.ReadImage(str(path), imageIO=image_io)
    except Exception as error:  # ITK raises RuntimeError for every problem, with a text of many lines
        raise CaseError(f"{path.name}: not readable ({_reason(error, path)}); copy the file again") from error
    if image.GetDimension() != 3 or image.GetSize() != header.shape or image.GetNumberOfComponentsPerPixel() != 1:
        raise CaseError(f"{path.name}: several components per voxel found, one channel expected; give the image itself")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < MIN_DETERMINANT:
        raise CaseError(
            f"{path.name}: its directions are not invertible, so voxels have no position; repair the header"
        )
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), LPS_TO_RAS @ affine


def _reason(error: Exception, path: Path) -> str:
    # ITK puts the position in its own source and an address in memory before its message.
    text = re.split(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?", str(error))[-1]
    return one_line(text.replace(str(path), path.name))
