"""Reading stored masks for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MASK_SUFFIXES = (".nii.gz", ".nii", ".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
AFFINE_TOLERANCE = 1e-3  # mm
MOST_VALUES = 64


@dataclass(frozen=True)
class StoredMask:
    """``array`` of label values, (X, Y, Z) in canonical axis order or (X, Y); ``affine`` (4, 4), None for a picture."""

    array: np.ndarray
    affine: np.ndarray | None

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
        mask = _read_volume(path) if path.name.lower().endswith((".nii", ".nii.gz")) else _read_picture(path)
    except Exception as error:  # damaged files raise whatever their reader stumbles over
        raise ValueError(f"{path.name}: not readable as a mask ({error})") from error
    values = len(np.unique(mask.array))
    if values > MOST_VALUES:
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
        grey = picture if picture.mode in ("1", "L", "P", "I", "I;16") else picture.convert("L")
        array = np.asarray(grey).T.astype(np.int16)
    return StoredMask((array >= 128).astype(np.int16) if array.max() == 255 else array, None)
