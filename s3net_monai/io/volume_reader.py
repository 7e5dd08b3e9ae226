"""MONAI image reader for NRRD and MetaImage, for a bundle's ``LoadImaged``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.file_formats import NRRD_SUFFIXES
from s3net_monai.io.dicom.geometry import Irregularity
from s3net_monai.io.file_bytes import open_file, size_of
from s3net_monai.io.itk_affine import itk_to_ras
from s3net_monai.io.limits import check_position
from s3net_monai.io.shear import check_shear, resample_sheared
from s3net_monai.io.volume_file_reader import VolumeFileReader
from s3net_monai.io.volume_header import (
    VolumeHeader,
    check_stored,
    check_volume_header,
    is_volume,
    read_volume_header,
)
from s3net_monai.io.volume_scale import VolumeScale
from s3net_monai.io.volume_voxels import read_voxels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import is_invertible
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory
from s3net_monai.utils.scratch import scratch_folder

MAX_SIZE_ERROR = 0.005  # of a direction's length, as for NIfTI
MIN_COSINE = 0.3  # between an axis and the side that letters name; oblique axes are close to two sides


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
    with open_file(path) as file:
        header = check_volume_header(path, file)
        with nullcontext(file) if header.data == path else open_file(header.data) as data:
            check_stored(path, header.storage, header.shape, size_of(data))
            array, surplus = read_voxels(path.name, data, header.storage, header.shape)
    itk = _itk_information(path, header)
    affine = _affine_in_mm(path, itk, header.scale)
    notes = (*header.scale.notes, *_orientation_notes(header, itk), *surplus)
    angle = 0.0 if labels and Irregularity.TILT not in allow else check_shear(path.name, affine, allow)
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
    header = read_volume_header(path)
    itk = _itk_information(path, header)
    return _affine_in_mm(path, itk, header.scale), itk_to_ras(itk)


def _itk_information(path: Path, header: VolumeHeader) -> Any:
    """Return a SimpleITK reader that has read a header, which is given to it as a file of its own, without voxels.

    Raises:
        CaseError: if ITK refuses it, or reads other sizes or another type out of it.
    """
    import SimpleITK

    is_nrrd = path.suffix.lower() in NRRD_SUFFIXES
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings contain the whole path
    with scratch_folder() as folder:
        copy = folder / ("header.nrrd" if is_nrrd else "header.mha")
        copy.write_bytes(header.for_itk)
        reader.SetFileName(str(copy))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:  # with a text of many lines
            found = f"not readable ({_reason(error, copy).replace(copy.name, path.name)}); copy the file again"
            raise CaseError(f"{path.name}: {NO_MEMORY if is_out_of_memory(error) else found}") from error
    if reader.GetDimension() != 3 or reader.GetSize() != header.shape or reader.GetNumberOfComponents() != 1:
        raise CaseError(f"{path.name}: several components per voxel found, one channel expected; give the image itself")
    if reader.GetPixelID() != _pixel_id(header.storage.dtype):
        raise CaseError(f"{path.name}: ITK reads another type of voxels than {header.storage.dtype}; save it again")
    return reader


def _pixel_id(dtype: np.dtype) -> int:
    import SimpleITK

    kind = {"i": "Int", "u": "UInt", "f": "Float"}[dtype.kind]
    return int(getattr(SimpleITK, f"sitk{kind}{8 * dtype.itemsize}"))


def _orientation_notes(header: VolumeHeader, itk: Any) -> list[str]:
    """Return a note where a MetaImage states its orientation in letters, too, and otherwise than by its matrix.

    The letters name the sides that the axes come from, of which right, anterior and inferior are the low ends in LPS.
    """
    letters = header.fields.get("AnatomicalOrientation", "").upper()
    if not re.fullmatch("[RLAPIS]{3}", letters):
        return []
    directions = np.array(itk.GetDirection()).reshape(3, 3)
    for axis, letter in enumerate(letters):
        along = directions["RLAPIS".index(letter) // 2, axis] * (1 if letter in "RAI" else -1)
        if along < MIN_COSINE:
            return [f"AnatomicalOrientation {letters} contradicts TransformMatrix, which counts"]
    return []


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
    check_position(path.name, affine)
    return affine


def _reason(error: Exception, path: Path) -> str:
    # ITK puts the position in its own source and an address in memory before its message.
    text = re.split(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?", str(error))[-1]
    return one_line(text.replace(str(path), path.name))
