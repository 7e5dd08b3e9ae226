"""Read masks from files, and bring them to a common grid for comparison."""

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
    """A mask as it is stored in a file.

    Attributes:
        array: label values, (X, Y, Z) in canonical axis order or (X, Y).
        affine: (4, 4) in mm; None for a 2-D mask.
        cropped: whether the file may omit background around the foreground, as DICOM SEG and 3D Slicer do.
    """

    array: np.ndarray
    affine: np.ndarray | None
    cropped: bool = False

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm, or 1 pixel along each axis of a 2-D mask."""
        if self.affine is None:
            return (1.0,) * self.array.ndim
        return tuple(float(size) for size in np.linalg.norm(self.affine[:3, :3], axis=0))


def read_mask(path: Path) -> StoredMask:
    """Read a mask from a file with one of ``MASK_SUFFIXES``.

    Volumes are reoriented to the closest canonical axes, which permutes and flips axes but never resamples, so that a
    mask and its ground truth may store the same grid in different axis order. 2-D masks with a value of 255 are binary,
    with foreground from 128.

    Raises:
        ValueError: when the file cannot be read or is not a mask.
    """
    try:
        mask = _read(path)
    except Exception as error:  # readers raise many types of exceptions for damaged files
        raise ValueError(f"{path.name}: not readable as a mask ({error})") from error
    values = len(np.unique(mask.array))
    if values > MAX_MASK_VALUES:
        raise ValueError(f"{path.name}: {values} different values, so an image, not a mask; check the folder")
    return mask


def check_same_grid(prediction: StoredMask, truth: StoredMask) -> None:
    """Check that the voxels of two masks coincide.

    Raises:
        ValueError: when shapes or affines differ.
    """
    if prediction.array.shape != truth.array.shape:
        raise ValueError(
            f"prediction is {prediction.array.shape}, label is {truth.array.shape}; use masks on the same grid"
        )
    if prediction.affine is None or truth.affine is None:
        return
    difference = float(np.abs(prediction.affine - truth.affine).max())
    if difference > AFFINE_TOLERANCE:
        raise ValueError(
            f"prediction and label lie {difference:.3g} mm apart (affine); use the label of the same image"
        )


def to_common_grid(prediction: StoredMask, truth: StoredMask) -> tuple[StoredMask, StoredMask]:
    """Pad cropped masks with background to the extent of both masks.

    Masks whose voxels do not coincide, and masks that are not cropped, are returned unchanged.
    """
    if prediction.affine is None or truth.affine is None or not (prediction.cropped or truth.cropped):
        return prediction, truth
    truth_to_prediction = np.linalg.inv(prediction.affine) @ truth.affine
    offset = np.rint(truth_to_prediction[:3, 3]).astype(int)
    translation = np.eye(4)
    translation[:3, 3] = offset
    if np.abs(prediction.affine @ (truth_to_prediction - translation)).max() > AFFINE_TOLERANCE:
        return prediction, truth
    first = np.minimum(0, offset)
    last = np.maximum(prediction.array.shape, offset + truth.array.shape)
    return _padded(prediction, first, last), _padded(truth, first - offset, last - offset)


def _padded(mask: StoredMask, first: np.ndarray, last: np.ndarray) -> StoredMask:
    """A cropped mask from index ``first`` up to ``last`` (exclusive), and any other mask unchanged."""
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
        return _read_image_2d(path)
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


def _read_image_2d(path: Path) -> StoredMask:
    from PIL import Image

    with Image.open(path) as image:
        gray = image if image.mode in ("1", "L", "P", "I", "I;16") else image.convert("L")
        array = np.asarray(gray).T.astype(np.int16)
    return StoredMask((array >= 128).astype(np.int16) if array.max() == 255 else array, None)
