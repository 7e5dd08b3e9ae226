"""Reading stored masks for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.evaluation.segment_masks import read_dicom_seg, read_seg_nrrd

SEGMENT_SUFFIXES = (".seg.nrrd", ".labelmap.dcm", ".dcm")
MASK_SUFFIXES = (".nii.gz", ".nii", ".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", *SEGMENT_SUFFIXES)
AFFINE_TOLERANCE = 1e-3  # mm
MAX_MASK_VALUES = 64


@dataclass(frozen=True)
class StoredMask:
    """A mask as its file has it.

    Attributes:
        array: label values, (X, Y, Z) in canonical axis order or (X, Y).
        affine: (4, 4) in mm, None for a picture.
        cropped: whether the file may leave out background around the foreground, as DICOM SEG and Slicer do.
    """

    array: np.ndarray
    affine: np.ndarray | None
    cropped: bool = False

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm, or 1 pixel along each axis of a picture."""
        if self.affine is None:
            return (1.0,) * self.array.ndim
        return tuple(float(size) for size in np.linalg.norm(self.affine[:3, :3], axis=0))


def read_mask(path: Path) -> StoredMask:
    """Read a NIfTI or picture mask.

    Volumes are brought to the closest canonical axes, which turns and flips but never resamples, so that a mask and
    its truth may store the same grid in different order. Pictures with a value of 255 are binary, foreground from 128.

    Raises:
        ValueError: when the file cannot be read or is no mask.
    """
    try:
        mask = _read(path)
    except Exception as error:  # damaged files raise whatever their reader stumbles over
        raise ValueError(f"{path.name}: not readable as a mask ({error})") from error
    values = len(np.unique(mask.array))
    if values > MAX_MASK_VALUES:
        raise ValueError(f"{path.name}: {values} different values, so an image, not a mask; check the folder")
    return mask


def check_same_grid(prediction: StoredMask, truth: StoredMask) -> None:
    """Refuse to compare voxels that lie elsewhere.

    Raises:
        ValueError: when shape or affine differ.
    """
    if prediction.array.shape != truth.array.shape:
        raise ValueError(
            f"prediction is {prediction.array.shape}, label is {truth.array.shape}; resample neither, align"
        )
    if prediction.affine is None or truth.affine is None:
        return
    off = float(np.abs(prediction.affine - truth.affine).max())
    if off > AFFINE_TOLERANCE:
        raise ValueError(f"prediction and label lie {off:.3g} mm apart (affine); use the label of the same image")


def on_one_grid(prediction: StoredMask, truth: StoredMask) -> tuple[StoredMask, StoredMask]:
    """Give cropped masks back the background around them, as far as the other reaches.

    Masks whose voxels do not coincide, and masks that are not cropped, come back as they are.
    """
    if prediction.affine is None or truth.affine is None or not (prediction.cropped or truth.cropped):
        return prediction, truth
    between = np.linalg.inv(prediction.affine) @ truth.affine
    offset = np.rint(between[:3, 3]).astype(int)
    coincident = np.eye(4)
    coincident[:3, 3] = offset
    if np.abs(prediction.affine @ (between - coincident)).max() > AFFINE_TOLERANCE:
        return prediction, truth
    first = np.minimum(0, offset)
    last = np.maximum(prediction.array.shape, offset + truth.array.shape)
    return _extended(prediction, first, last), _extended(truth, first - offset, last - offset)


def _extended(mask: StoredMask, first: np.ndarray, last: np.ndarray) -> StoredMask:
    """``mask`` from index ``first`` to before ``last``, where it is cropped and so known to be empty outside."""
    if not mask.cropped or mask.affine is None:
        return mask
    array = np.pad(mask.array, list(zip(-first, last - mask.array.shape, strict=True)))
    affine = mask.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    return StoredMask(array, affine, cropped=True)


def _read(path: Path) -> StoredMask:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return _read_volume(path)
    if not name.endswith(SEGMENT_SUFFIXES):
        return _read_picture(path)
    array, affine = read_seg_nrrd(path) if name.endswith(".nrrd") else read_dicom_seg(path)
    if affine is None:
        return StoredMask(array.astype(np.int16), None)
    array, affine = _canonical(array, affine)
    return StoredMask(array.astype(np.int16), affine, cropped=True)


def _canonical(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(array.astype(np.int16), affine))
    return np.asarray(image.dataobj), np.asarray(image.affine)


def _read_volume(path: Path) -> StoredMask:
    import nibabel

    image: Any = nibabel.load(path)
    if len(image.shape) == 2:
        return StoredMask(np.asarray(image.dataobj).round().astype(np.int64), None)
    image = nibabel.as_closest_canonical(nibabel.funcs.squeeze_image(image))
    return StoredMask(np.asarray(image.dataobj).round().astype(np.int16), np.asarray(image.affine))


def _read_picture(path: Path) -> StoredMask:
    from PIL import Image

    with Image.open(path) as picture:
        gray = picture if picture.mode in ("1", "L", "P", "I", "I;16") else picture.convert("L")
        array = np.asarray(gray).T.astype(np.int16)
    return StoredMask((array >= 128).astype(np.int16) if array.max() == 255 else array, None)
