"""Cases of the report splits, which no training and no choice of a setting may see.

The volumes of the training part are among them for cross-validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nibabel.affines import voxel_sizes

from benchmarks.common.splits import ISIC, LUNG_SLICES, LUNG_VOLUME_SPLITS, PH2
from benchmarks.common.types import BenchmarkCase
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.io.label_maps.place_label import read_label_of
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.io.nifti_header import read_nifti_header


def load_cases(task: str, data: Path) -> list[BenchmarkCase]:
    """Load the cases of every report split of a task, with their ground truth in memory.

    Their order is always the same.

    Args:
        task: "skin" or "lung".
        data: folder with skin/ph2, skin/isic2018/val, lung/slices512 (images/ and masks/ of the same names) and
            lung/volumes (<id>_ct.nii.gz and <id>_lung.nii.gz).

    Raises:
        ValueError: When a folder or a mask is missing, or a mask lies on another grid than its image.
    """
    return skin_cases(data) if task == "skin" else lung_cases(data)


def skin_cases(data: Path) -> list[BenchmarkCase]:
    """Load PH2 images with a number divisible by 4, and ISIC 2018 validation images."""
    ph2 = [path for path in _images(data / "skin" / "ph2" / "images") if _number(path) % 4 == 0]
    isic = _images(data / "skin" / "isic2018" / "val" / "images")
    return _image_cases(PH2, ph2) + _image_cases(ISIC, isic)


def lung_cases(data: Path) -> list[BenchmarkCase]:
    """Load the slices of LungSegDB, the volume id003, and the volumes id001 and id002.

    The latter two are a split of their own.

    Training may see the images of id001 and id002: only methods that were trained without the volume they segment
    report on them.
    """
    slices = _image_cases(LUNG_SLICES, _images(data / "lung" / "slices512" / "images"))
    return slices + [_volume_case(data / "lung" / "volumes", name) for name in LUNG_VOLUME_SPLITS]


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; --data is the folder that holds skin/ and lung/")
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_2D_SUFFIXES)
    if not images:
        raise ValueError(f"{folder}: no 2-D image found, expected one of {', '.join(IMAGE_2D_SUFFIXES)}")
    return images


def _number(path: Path) -> int:
    return int("".join(filter(str.isdigit, path.stem)))


def _image_cases(split: str, images: Iterable[Path]) -> list[BenchmarkCase]:
    cases = []
    for image in images:
        truth = read_label(_existing(image.parent.parent / "masks" / f"{image.stem}.png"), binary=True).array > 0
        cases.append(
            BenchmarkCase(case_id=image.stem, split=split, image=image, truth=truth, spacing=(1.0, 1.0), unit="px")
        )
    return cases


def _volume_case(folder: Path, name: str) -> BenchmarkCase:
    image, label = _existing(folder / f"{name}_ct.nii.gz"), _existing(folder / f"{name}_lung.nii.gz")
    header = read_nifti_header(image)
    truth = read_label_of(image, label, shape=header.shape, affine=header.affine, binary=True)
    return BenchmarkCase(
        case_id=name,
        split=LUNG_VOLUME_SPLITS[name],
        image=image,
        truth=truth > 0,
        spacing=tuple(float(size) for size in voxel_sizes(header.affine)),
        unit="mm",
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the benchmark needs an image and its mask")
    return path
