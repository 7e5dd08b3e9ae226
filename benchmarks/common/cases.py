"""The report splits, which no training and no choice of a setting may see, and the volumes for cross-validation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.types import BenchmarkCase
from s3net_monai.evaluation.masks import read_mask
from s3net_monai.inference.discovery.find_cases import IMAGE_2D_SUFFIXES

PH2, ISIC, LUNG_SLICES = "PH2", "ISIC 2018 val", "LungSegDB"
VOLUME_SPLITS = {"id003": "volume id003", "id001": "volumes id001-002", "id002": "volumes id001-002"}
_AFFINE_TOLERANCE = 1e-3  # mm


def load_cases(task: str, data: Path) -> list[BenchmarkCase]:
    """The cases of every report split of a task, in a stable order, with their truth in memory.

    Args:
        task: "skin" or "lung".
        data: holds skin/ph2, skin/isic2018/val, lung/slices512 (images/ and masks/ of the same names) and
            lung/volumes (<id>_ct.nii.gz and <id>_lung.nii.gz).

    Raises:
        ValueError: when a folder or a mask is missing, or a mask lies on another grid than its image.
    """
    return skin_cases(data) if task == "skin" else lung_cases(data)


def skin_cases(data: Path) -> list[BenchmarkCase]:
    """PH2 images whose number is divisible by 4, and the validation images of ISIC 2018."""
    ph2 = [path for path in _pictures(data / "skin" / "ph2" / "images") if _number(path) % 4 == 0]
    isic = _pictures(data / "skin" / "isic2018" / "val" / "images")
    return _picture_cases(PH2, ph2) + _picture_cases(ISIC, isic)


def lung_cases(data: Path) -> list[BenchmarkCase]:
    """The slices of LungSegDB, the volume id003, and the volumes id001 and id002 apart from it.

    Training may see the images of the latter two; only methods trained without the volume they segment report on them.
    """
    slices = _picture_cases(LUNG_SLICES, _pictures(data / "lung" / "slices512" / "images"))
    return slices + [_volume_case(data / "lung" / "volumes", name) for name in VOLUME_SPLITS]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; --data is the folder that holds skin/ and lung/")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_2D_SUFFIXES)
    if not found:
        raise ValueError(f"{folder}: no picture there, expected one of {', '.join(IMAGE_2D_SUFFIXES)}")
    return found


def _number(path: Path) -> int:
    return int("".join(filter(str.isdigit, path.stem)))


def _picture_cases(split: str, images: Iterable[Path]) -> list[BenchmarkCase]:
    cases = []
    for image in images:
        truth = read_mask(_existing(image.parent.parent / "masks" / f"{image.stem}.png")).array > 0
        cases.append(BenchmarkCase(image.stem, split, image, truth, (1.0, 1.0), "px"))
    return cases


def _volume_case(folder: Path, name: str) -> BenchmarkCase:
    import nibabel

    image, label = _existing(folder / f"{name}_ct.nii.gz"), _existing(folder / f"{name}_lung.nii.gz")
    # not evaluation.masks.read_mask: it turns axes, and here both stay on the grid that the file has
    grid: Any = nibabel.load(image)
    stored: Any = nibabel.load(label)
    same_shape = grid.shape == stored.shape
    if not same_shape or np.abs(grid.affine - stored.affine).max() > _AFFINE_TOLERANCE:
        raise ValueError(f"{label.name}: another grid than {image.name}; store the mask on the image's own grid")
    spacing = tuple(float(step) for step in stored.header.get_zooms()[:3])
    return BenchmarkCase(name, VOLUME_SPLITS[name], image, np.asarray(stored.dataobj) > 0, spacing, "mm")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the benchmark needs an image and its mask")
    return path
