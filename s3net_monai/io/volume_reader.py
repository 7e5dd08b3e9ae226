"""MONAI image reader for NRRD and MetaImage, for a bundle's ``LoadImaged``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.file_formats import NRRD_SUFFIXES
from s3net_monai.io.dicom.geometry import Irregularity
from s3net_monai.io.itk_affine import itk_to_ras
from s3net_monai.io.shear import check_shear, resample_sheared
from s3net_monai.io.volume_file_reader import VolumeFileReader
from s3net_monai.io.volume_header import check_deflated_voxels, is_volume, read_volume_header
from s3net_monai.io.volume_scale import VolumeScale
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import is_invertible
from s3net_monai.utils.messages import one_line

MAX_SIZE_ERROR = 0.005  # of a direction's length, as for NIfTI


class VolumeReader(VolumeFileReader):
    """Image reader for .nrrd, .nhdr, .mha and .mhd files: (X, Y, Z) with a RAS+ affine.

    Args:
        allow: as for ``VolumeFileReader``.

    Example:
        >>> VolumeReader().verify_suffix("a.NRRD")
        True
    """

    format_name = "an NRRD or MetaImage file"

    def takes(self, path: Path) -> bool:
        """Return whether a file has a suffix of NRRD or MetaImage."""
        return is_volume(path)

    def load(self, path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return what ``load_volume`` returns.

        Raises:
            CaseError: with the reason, if it is not one sound 3-D volume of one channel.
        """
        return load_volume(path, self.allow)


def load_volume(
    path: Path, allow: Sequence[str] = (), *, labels: bool = False
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Load the array (X, Y, Z), the RAS+ affine (4, 4) in mm and the notes of an NRRD or MetaImage file.

    Args:
        path: the file.
        allow: values of ``Irregularity`` to repair instead of refusing.
        labels: whether the values are those of labels, which a repair must not mix; a shear that is not repaired is
            left to the check against the image.

    Raises:
        CaseError: with the reason, if it is not one sound 3-D volume of one channel.
    """
    import SimpleITK

    header = read_volume_header(path)
    check_deflated_voxels(path, header)
    # ITK writes warnings with the whole path to stderr, past every log.
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = SimpleITK.ReadImage(str(path), imageIO=_image_io(path))
    except Exception as error:  # ITK raises RuntimeError for every problem, with a text of many lines
        raise CaseError(f"{path.name}: not readable ({_reason(error, path)}); copy the file again") from error
    if image.GetDimension() != 3 or image.GetSize() != header.shape or image.GetNumberOfComponentsPerPixel() != 1:
        raise CaseError(f"{path.name}: several components per voxel found, one channel expected; give the image itself")
    affine, notes = _affine_in_mm(path, image, header.scale), header.scale.notes
    angle = 0.0 if labels and Irregularity.TILT not in allow else check_shear(path.name, affine, allow)
    array = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    if (header.scale.slope, header.scale.offset) != (1, 0):
        array = (array * np.float64(header.scale.slope) + header.scale.offset).astype(np.float32)
    if angle:
        array, affine = resample_sheared(path.name, array, affine, labels=labels)
        notes = (*notes, f"axes sheared by {angle:.1f} degrees: resampled to a rectangular grid")
    return array, affine, notes


def volume_places(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return where this package and where ITK puts the voxels of a file, both (4, 4) RAS+ in mm, from its header.

    They differ where ITK ignores a field, such as the unit. A shear is not repaired.

    Raises:
        CaseError: with the reason, if the header is not sound.
    """
    import SimpleITK

    scale = read_volume_header(path).scale
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings contain the whole path
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(_image_io(path))
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise CaseError(f"{path.name}: not readable ({_reason(error, path)}); copy the file again") from error
    return _affine_in_mm(path, reader, scale), itk_to_ras(reader)


def _image_io(path: Path) -> str:
    return "NrrdImageIO" if path.suffix.lower() in NRRD_SUFFIXES else "MetaImageIO"


def _affine_in_mm(path: Path, image: Any, scale: VolumeScale) -> np.ndarray:
    """Return ITK's affine (4, 4) as RAS+, with the sizes and the unit of the header."""
    affine = itk_to_ras(image)
    if not is_invertible(affine):
        raise CaseError(
            f"{path.name}: its directions are not invertible, so voxels have no position; repair the header"
        )
    directions = affine[:3, :3] / image.GetSpacing()
    if np.abs(np.linalg.norm(directions, axis=0) - 1).max() > MAX_SIZE_ERROR:
        raise CaseError(
            f"{path.name}: directions of a length other than 1 found, which programs read differently; correct them"
        )
    spacing = np.array(scale.spacing)
    if not np.allclose(spacing, image.GetSpacing(), rtol=1e-6):  # ITK ignores the ends of axes
        affine[:3, :3] = directions * spacing
    if scale.mm != 1:
        affine[:3] *= scale.mm
    return affine


def _reason(error: Exception, path: Path) -> str:
    # ITK puts the position in its own source and an address in memory before its message.
    text = re.split(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?", str(error))[-1]
    return one_line(text.replace(str(path), path.name))
