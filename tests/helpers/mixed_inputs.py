"""180 small valid inputs of every kind that folders of a hospital hold, and the mask expected of each."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from PIL import Image

from tests.helpers.dicom_tools import AFFINES, to_itk_image
from tests.helpers.expected_masks import THRESHOLD, Inputs, Truth
from tests.helpers.mixed_dicom import (
    SLICE,
    add_media,
    add_odd_series,
    add_series,
    add_studies,
    expected_slices,
    make_series,
)

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
BLOCK = 16  # pixels per side with equal values in 2-D images, so that JPEG preserves the sides of the threshold


def make_good_inputs(root: Path) -> Inputs:
    """Write all of them below ``root``: one tree, and the paths in ``separate`` beside it."""
    inputs = Inputs(root)
    for make in (_volumes, add_series, add_odd_series, add_studies, _identified, _archives, add_media, _pictures):
        make(inputs)
    return inputs


def _volumes(inputs: Inputs) -> None:
    variants = [(suffix, False) for suffix in SUFFIXES] + [(".nrrd", True)]
    for (suffix, packed), affine in product(variants, AFFINES.values()):
        _save_volume(inputs, f"volumes/{suffix[1:]}", suffix, affine, packed)


def _save_volume(inputs: Inputs, name: str, suffix: str, affine: np.ndarray, packed: bool = False) -> Path:
    hu = inputs.hounsfield(6, 5, 4)
    path = inputs.path(name, Truth(hu < THRESHOLD, affine))
    path = path.with_name(path.name + suffix)
    if suffix.startswith(".nii"):
        nibabel.save(nibabel.Nifti1Image(hu, affine), path)
    else:
        SimpleITK.WriteImage(to_itk_image(hu, affine), str(path), useCompression=packed or suffix == ".mha")
    return path


def _identified(inputs: Inputs) -> None:
    """Write inputs with the patient's name and number in the names of folders and files."""
    for name in ("ZEBRA_QUAGGA", "Quagga, Zebra", "PIDMARK77-"):
        hu = inputs.hounsfield(4, *SLICE)
        folder = inputs.path(f"zebra^quagga PIDMARK77/{name}", expected_slices(hu))
        make_series(hu).save(folder, [f"zebra{index}.dcm" for index in range(4)])
    _save_volume(inputs, "zebra^quagga PIDMARK77/quagga", ".nii.gz", AFFINES["LPS"])


def _archives(inputs: Inputs) -> None:
    for index in range(6):
        hu = inputs.hounsfield(4, *SLICE)
        name = "PIDMARK77" if index == 0 else "series"
        folder = inputs.path(name, expected_slices(hu), below="separate" if index < 3 else "tree/archives")
        path = _packed(make_series(hu).save(folder))
        if index < 3:
            inputs.separate.append(path)
    for count in (3, 3):
        folder = inputs.tree / "archives" / f"volumes {len(inputs.truths)}"
        folder.mkdir()
        for _ in range(count):
            _save_volume(inputs, f"archives/{folder.name}/in", ".nrrd", AFFINES["15 degrees"])
        _packed(folder)


def _packed(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    shutil.rmtree(folder)
    return path


def _pictures(inputs: Inputs) -> None:
    def plain(mode: str) -> Callable[[np.ndarray], Image.Image]:
        return lambda gray: Image.fromarray(gray.T).convert(mode)

    def wide(gray: np.ndarray) -> Image.Image:
        return Image.fromarray(gray.T.astype(np.uint16) * 257)

    def see_through(gray: np.ndarray) -> Image.Image:
        return Image.merge("LA", [Image.fromarray(np.zeros_like(gray.T)), Image.fromarray(255 - gray.T)])

    kinds: Iterable[tuple[int, str, Callable[[np.ndarray], Image.Image]]] = (
        *((6, ".png", plain("L")), (3, ".png", plain("RGB")), (2, ".png", plain("P"))),
        *((3, ".png", wide), (3, ".png", see_through), (6, ".jpg", plain("L")), (2, ".jpeg", plain("RGB"))),
        *((6, ".tiff", plain("L")), (3, ".bmp", plain("L")), (3, ".bmp", plain("RGB"))),
    )
    for count, suffix, make_image in kinds:
        for _ in range(count):
            gray = _blocks(inputs)
            path = inputs.path(f"images/{suffix[1:]}", Truth(gray < THRESHOLD))
            make_image(gray).save(path.with_name(path.name + suffix))
    for orientation in range(1, 9):
        gray = _blocks(inputs)
        path = inputs.path("images/rotated", Truth(gray < THRESHOLD))
        exif = Image.Exif()
        exif[274] = orientation
        stored = _STORED[orientation](gray.T)
        Image.fromarray(np.ascontiguousarray(stored)).save(path.with_name(f"{path.name}.jpg"), exif=exif)


# Stored form of an upright image (rows, columns) for each EXIF orientation.
_STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).T,
    8: lambda upright: np.rot90(upright, -1),
}


def _blocks(inputs: Inputs) -> np.ndarray:
    """Return (columns 64, rows 48) uint8 in blocks, black and white among them to set the range of 16 bits."""
    inside = inputs.rng.random((4, 3)) < 0.4
    values = np.where(inside, inputs.rng.integers(0, 20, (4, 3)), inputs.rng.integers(180, 256, (4, 3)))
    values[0, 0], values[3, 2] = 0, 255
    return np.kron(values, np.ones((BLOCK, BLOCK))).astype(np.uint8)
