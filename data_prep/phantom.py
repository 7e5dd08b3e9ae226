"""Folders of synthetic cases with exact truth: images, labels and the datalist that names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.datalist import Case, write_datalist
from data_prep.phantom_dicom import write_ct_series
from data_prep.phantom_lung import DEFAULT_SHAPE as LUNG_SHAPE
from data_prep.phantom_lung import lung_phantom
from data_prep.phantom_skin import DEFAULT_SHAPE as SKIN_SHAPE
from data_prep.phantom_skin import skin_phantom
from s3net_monai.io.atomic import atomic_path

MODALITY = {"lung": "CT", "skin": "dermoscopy"}
AXES = {"lung": "columns, rows and slices", "skin": "width and height"}
SMALLEST = 8


def make_phantoms(
    task: str, destination: Path, count: int = 1, dicom: bool = False, shape: Sequence[int] | None = None, seed: int = 0
) -> Path:
    """Write `count` synthetic cases and return the path of their datalist.

    `task`: "lung" writes chest CT as NIfTI, or as one DICOM folder a case with `dicom`; "skin" writes PNG pictures.
    `shape`: voxels along X, Y, Z for lung, pixels along X, Y for skin. The layout is images/<case>, labels/<case> and
    datalist.json in `destination`. Case i is made from `seed + i`, so that a longer run repeats a shorter one. Of five
    cases the fourth is for validation and the fifth for test, the others for training.

    Raises ValueError for an unknown task, a count below 1, or a shape or option that the task does not have.
    """
    size = _checked_shape(task, shape)
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    if dicom and task != "lung":
        raise ValueError(f"DICOM phantoms are made for the task lung, not for {task}; leave --dicom out")
    destination = Path(destination)
    cases = []
    for index in tqdm(range(count), desc=f"{task} phantoms", unit="case"):
        case_id = f"{task}_{seed + index:04d}"
        if task == "lung":
            image, label = write_lung_phantom(destination, case_id, size, seed + index, dicom=dicom)
        else:
            image, label = write_skin_phantom(destination, case_id, size, seed + index)
        split = {3: "validation", 4: "test"}.get(index % 5, "training")
        cases.append(Case(case_id=case_id, patient=case_id, split=split, image=image, label=label))
    return write_datalist(destination, f"{task} phantoms", f"Synthetic, seed {seed}", MODALITY[task], cases)


def write_lung_phantom(
    destination: Path,
    case_id: str,
    shape: Sequence[int] = LUNG_SHAPE,
    seed: int = 0,
    dicom: bool = False,
    affine: np.ndarray | None = None,
    feet_last: bool = False,
) -> tuple[Path, Path]:
    """Write one chest CT with its truth on the same grid and return `(image, label)`.

    The image is images/<case_id>.nii.gz, or with `dicom` the folder images/<case_id>; the label is
    labels/<case_id>.nii.gz. `affine` (4x4, RAS+, mm; see `phantom_affine`) makes oblique, anisotropic or tilted grids,
    `feet_last` numbers DICOM slices backwards.
    """
    volume, truth, grid = lung_phantom(shape, seed, affine)
    label = destination / "labels" / f"{case_id}.nii.gz"
    _write_nifti(label, truth, grid)
    if dicom:
        image = destination / "images" / case_id
        write_ct_series(volume, grid, image, case_id, feet_last)
    else:
        image = destination / "images" / f"{case_id}.nii.gz"
        _write_nifti(image, volume, grid)
    return image, label


def write_skin_phantom(
    destination: Path, case_id: str, shape: Sequence[int] = SKIN_SHAPE, seed: int = 0
) -> tuple[Path, Path]:
    """Write one dermoscopic picture images/<case_id>.png and its truth labels/<case_id>.png (0 and 255)."""
    from PIL import Image

    picture, truth = skin_phantom(shape, seed)
    paths = []
    for folder, array in (("images", picture), ("labels", truth * np.uint8(255))):
        path = destination / folder / f"{case_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            Image.fromarray(array).save(temporary)
        paths.append(path)
    return paths[0], paths[1]


def _checked_shape(task: str, shape: Sequence[int] | None) -> tuple[int, ...]:
    defaults = {"lung": LUNG_SHAPE, "skin": SKIN_SHAPE}
    if task not in defaults:
        raise ValueError(f"no phantom for the task {task!r}, expected one of {', '.join(defaults)}")
    size = tuple(shape) if shape is not None else defaults[task]
    if len(size) != len(defaults[task]) or min(size) < SMALLEST:
        given = " ".join(map(str, size))
        raise ValueError(f"shape {given} for {task}, expected {AXES[task]}, each at least {SMALLEST}")
    return size


def _write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    picture = nibabel.Nifti1Image(array, affine)
    picture.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nibabel.save(picture, temporary)
