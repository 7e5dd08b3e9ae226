"""Images to measure, made once in the work folder with fixed seeds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.phantom import make_phantoms
from data_prep.phantom_skin import skin_phantom
from s3net_monai.file_formats import DATALIST_FILE, IMAGE_2D_SUFFIXES
from s3net_monai.utils.atomic import atomic_path

CT_SIZE = 512
_QUALITY = 92
_GRAIN = 6.0  # standard deviation of the noise of a camera, of 255


def ct_series(work: Path, slices: int, size: int = CT_SIZE) -> Path:
    """Return the folder of a chest CT in DICOM, ``size`` x ``size`` x ``slices``."""
    folder = work / "inputs" / f"ct_{size}_{slices}"
    return _phantoms(folder, "lung", (size, size, slices), dicom=True)[0]


def hearts(work: Path, data: Path | None, count: int) -> list[Path]:
    """Return ``count`` volumes of ACDC, or phantoms of that size without ``data``."""
    folder = data / "cardiac" / "acdc" if data else None
    if folder and folder.is_dir():
        return sorted(folder.glob("*_image.nii.gz"))[:count]
    return _phantoms(work / "inputs" / "hearts", "cardiac", (216, 256, 10), count=-(-count // 2))[:count]


def pictures_of_ph2(work: Path, data: Path | None, count: int) -> list[Path]:
    """Return ``count`` pictures of PH2, or phantoms of 768 x 576, their size, without ``data``."""
    folder = data / "skin" / "ph2" / "images" if data else None
    if folder and folder.is_dir():
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_2D_SUFFIXES)[:count]
    return _phantoms(work / "inputs" / "pictures_768", "skin", (768, 576), count=count)


def pictures(work: Path, count: int, size: int) -> Path:
    """Return a folder of ``count`` pictures of ``size`` x ``size`` pixels."""
    images = _phantoms(work / "inputs" / f"pictures_{size}_{count}", "skin", (size, size), count=count)
    return images[0].parent


def linked_pictures(folder: Path, count: int, destination: Path) -> Path:
    """Link ``count`` pictures into ``destination``, those of ``folder`` in turn, and return ``destination``."""
    pictures = sorted(folder.iterdir())
    for index in range(count):
        picture = pictures[index % len(pictures)]
        os.link(picture, destination / f"{index:04d}{picture.suffix}")
    return destination


def photograph(work: Path, width: int, height: int) -> Path:
    """Return a JPEG of a phantom at this size with the grain of a camera, which costs a decoder time."""
    path = work / "inputs" / f"photograph_{width}_{height}.jpg"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        small, _ = skin_phantom((width // 4, height // 4), 0)
        pixels = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
        grain = np.random.default_rng(0).normal(scale=_GRAIN, size=pixels.shape[:2])[..., None]
        grained = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        with atomic_path(path) as temporary:
            Image.fromarray(grained).save(temporary, format="JPEG", quality=_QUALITY)
    return path


def _phantoms(folder: Path, task: str, shape: tuple[int, ...], *, count: int = 1, dicom: bool = False) -> list[Path]:
    if not (folder / DATALIST_FILE).is_file():  # which is written last
        make_phantoms(task, folder, count=count, dicom=dicom, shape=shape)
    return sorted((folder / "images").iterdir())
