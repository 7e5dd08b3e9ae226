"""Kaggle "Finding and Measuring Lungs in CT Data": slices (TIFF, or packed in one npz) or volumes, with lung masks.

Slices are written as 8-bit PNG below the destination, since the networks' readers take neither npz nor signed TIFF. The
set numbers its slices and names no patients, so every slice counts as one patient; a fifth of them is for test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.layout import VOLUME_SUFFIXES, find_label, list_files, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split, hash_fraction
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import CaseError, DataError
from s3net_monai.utils.reasons import in_words

DESCRIPTION = "Kaggle lung CT slices or volumes with lung masks; test: a fifth of the slices"
MODALITY = "CT"
NUM_CLASSES = 2
LAYOUT = "one .npz with image and mask, 2d_images/ID_*.tif with 2d_masks/, or 3d_images/IMG_*.nii.gz with MASK_*"
TEST_FRACTION = 0.2
WINDOW_HU = (-1000.0, 600.0)


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the cases of the first layout that is present: npz, slices, volumes.

    Slices are converted and written below ``destination``.

    Raises:
        DataError: if ``source`` holds none of the layouts, or a file that is not readable.
    """
    packed = list_files(source, (".npz",))
    slices = list_files(source / "2d_images", (".tif", ".tiff"))
    if packed:
        cases = [_write_slice(destination, name, pixels=pixels, mask=mask) for name, pixels, mask in _unpack(packed[0])]
    elif slices:
        cases = [_convert_slice(destination, image, source / "2d_masks") for image in slices]
    else:
        cases = [
            _volume_case(image)
            for image in list_files(source / "3d_images", VOLUME_SUFFIXES)
            if image.name.startswith("IMG_")
        ]
    return require_cases(cases, source, LAYOUT)


def _split(patient: str) -> str:
    return choose_split(patient, is_test=hash_fraction(patient) < TEST_FRACTION)


def _unpack(file: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    try:
        with np.load(file) as content:
            images = content["image"]
            masks = content.get("mask")
    except (OSError, ValueError, KeyError) as error:
        found = "not readable, or without the array image"
        remedy = "expected the arrays image and mask (slices, rows, columns): download it again"
        raise DataError(f"{file}: {in_words(error, found, remedy, file)}") from error
    if images.ndim != 3 or images.dtype != np.uint8 or (masks is not None and masks.shape != images.shape):
        shapes = f"image {images.dtype} {images.shape}, mask {None if masks is None else masks.shape}"
        raise DataError(f"{file}: {shapes}, expected uint8 (slices, rows, columns) for both; download it again")
    for index, image in enumerate(images):
        yield f"slice_{index:04d}", image, None if masks is None else masks[index]


def _convert_slice(destination: Path, image: Path, masks: Path) -> DatalistCase:
    # Importing ``io`` imports MONAI and pydicom; listing 2-D images should not wait for them.
    from s3net_monai.io.label_maps.read_label import read_label
    from s3net_monai.io.open_image_2d import open_image_2d

    label = find_label(masks, image.stem, (".tif", ".tiff"))
    try:
        low, high = WINDOW_HU
        with open_image_2d(image) as opened:
            hounsfield = np.asarray(opened, np.float32)
        pixels = np.rint(np.clip((hounsfield - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        mask = None if label is None else read_label(label, binary=True).array.T > 0
    except (OSError, CaseError) as error:
        found, remedy = "slice or mask not readable", "download it again or remove both"
        raise DataError(f"{image}: {in_words(error, found, remedy, image)}") from error
    return _write_slice(destination, image.stem, pixels=pixels, mask=mask)


def _write_slice(destination: Path, name: str, *, pixels: np.ndarray, mask: np.ndarray | None) -> DatalistCase:
    image = _write_png(destination / "images" / f"{name}.png", pixels)
    label = None
    if mask is not None:
        label = _write_png(destination / "labels" / f"{name}.png", mask.astype(np.uint8) * 255)
    return DatalistCase(case_id=name, patient=name, split=_split(name), image=image, label=label)


def _write_png(path: Path, array: np.ndarray) -> Path:
    from PIL import Image

    from s3net_monai.io.png import save_image

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_image(Image.fromarray(array), temporary)
    return path


def _volume_case(image: Path) -> DatalistCase:
    name = image.name.split(".")[0].removeprefix("IMG_")
    label = image.with_name(image.name.replace("IMG_", "MASK_", 1))
    return DatalistCase(
        case_id=f"volume_{name}",
        patient=name,
        split=_split(name),
        image=image,
        label=label if label.is_file() else None,
    )
