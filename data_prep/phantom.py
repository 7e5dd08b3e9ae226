"""Folders of synthetic cases with exact ground truth: images, labels and their datalist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.phantom_cardiac import DEFAULT_SHAPE as CARDIAC_SHAPE
from data_prep.phantom_cardiac import DIASTOLE, SYSTOLE, cardiac_phantom
from data_prep.phantom_dicom import write_ct_series
from data_prep.phantom_lung import DEFAULT_SHAPE as LUNG_SHAPE
from data_prep.phantom_lung import lung_phantom
from data_prep.phantom_skin import DEFAULT_SHAPE as SKIN_SHAPE
from data_prep.phantom_skin import skin_phantom
from s3net_monai.data.datalist import DatalistCase, write_datalist
from s3net_monai.file_formats import DATALIST_FILE
from s3net_monai.io.png import save_image
from s3net_monai.tasks import TASKS
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.output_paths import check_output_folder
from s3net_monai.utils.printing import progress_bar

SHAPES: dict[str, tuple[int, ...]] = {"lung": LUNG_SHAPE, "skin": SKIN_SHAPE, "cardiac": CARDIAC_SHAPE}
AXES = {"lung": "columns, rows and slices", "skin": "width and height", "cardiac": "columns, rows and slices"}
MIN_SHAPES = {"lung": (8, 8, 8), "skin": (8, 8), "cardiac": (8, 8, 4)}
MAX_PATIENTS = 999  # ACDC numbers patients by three digits


def make_phantoms(
    task: str,
    destination: Path,
    *,
    count: int = 1,
    dicom: bool = False,
    shape: Sequence[int] | None = None,
    seed: int = 0,
) -> Path:
    """Write synthetic cases and return the path of their datalist.

    The layout is images/<case>, labels/<case> and datalist.json in ``destination``. Case i is generated from
    ``seed + i``, so that a longer run repeats a shorter one. Of five cases the fourth is for validation and the fifth
    for test, the others for training.

    Args:
        task: "lung" for chest CT as NIfTI, "skin" for dermoscopy as PNG, or "cardiac" for two short-axis stacks per
            case as NIfTI, see ``write_cardiac_phantom``.
        destination: folder to write into.
        count: number of cases.
        dicom: whether to write chest CT as one DICOM folder per case.
        shape: voxels along X, Y, Z for lung and cardiac, pixels along X, Y for skin.
        seed: of the first case.

    Raises:
        ValueError: if the task is unknown, if the count is below 1, if the seed leaves no number for a patient, or if
            the task does not have such a shape or option.
        UsageError: if ``destination`` cannot be written to.
    """
    size = _check_shape(task, shape)
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    if dicom and task != "lung":
        raise ValueError(f"DICOM phantoms are made for the task lung, not for {task}; leave --dicom out")
    if task == "cardiac" and seed + count > MAX_PATIENTS:
        raise ValueError(f"seed {seed} and count {count} reach patient {seed + count}, expected {MAX_PATIENTS} at most")
    destination = Path(destination)
    check_output_folder(destination, [DATALIST_FILE])
    cases = []
    for index in progress_bar(range(count), description=f"{task} phantoms", unit="case"):
        split = {3: "validation", 4: "test"}.get(index % 5, "training")
        if task == "cardiac":
            patient = f"patient{seed + index + 1:03d}"
            for case_id, image, label in write_cardiac_phantom(destination, patient, size, seed=seed + index):
                cases.append(DatalistCase(case_id=case_id, patient=patient, split=split, image=image, label=label))
            continue
        case_id = f"{task}_{seed + index:04d}"
        if task == "lung":
            image, label = write_lung_phantom(destination, case_id, size, seed=seed + index, dicom=dicom)
        else:
            image, label = write_skin_phantom(destination, case_id, size, seed=seed + index)
        cases.append(DatalistCase(case_id=case_id, patient=case_id, split=split, image=image, label=label))
    return write_datalist(
        destination,
        name=f"{task} phantoms",
        description=f"Synthetic, seed {seed}",
        modality=TASKS[task].modality,
        cases=cases,
    )


def write_lung_phantom(
    destination: Path,
    case_id: str,
    shape: Sequence[int] = LUNG_SHAPE,
    *,
    seed: int = 0,
    dicom: bool = False,
    affine: np.ndarray | None = None,
    feet_last: bool = False,
) -> tuple[Path, Path]:
    """Write one chest CT with its ground truth on the same grid.

    Args:
        destination: folder to write into.
        case_id: name of the files.
        shape: (X, Y, Z).
        seed: of the patient and the noise.
        dicom: whether to write the image as a DICOM series.
        affine: (4x4, RAS+, mm) of an oblique, anisotropic or tilted grid, see ``phantom_affine``.
        feet_last: whether to number DICOM slices backwards.

    Returns:
        The image, images/<case_id>.nii.gz or the folder images/<case_id>, and the label, labels/<case_id>.nii.gz.
    """
    volume, truth, grid = lung_phantom(shape, seed, affine)
    label = destination / "labels" / f"{case_id}.nii.gz"
    _write_nifti(label, truth, grid)
    if dicom:
        image = destination / "images" / case_id
        write_ct_series(volume, grid, image, case_id=case_id, feet_last=feet_last)
    else:
        image = destination / "images" / f"{case_id}.nii.gz"
        _write_nifti(image, volume, grid)
    return image, label


def write_skin_phantom(
    destination: Path, case_id: str, shape: Sequence[int] = SKIN_SHAPE, *, seed: int = 0
) -> tuple[Path, Path]:
    """Write one dermoscopic image, images/<case_id>.png, and its ground truth, labels/<case_id>.png (0 and 255)."""
    from PIL import Image

    image, truth = skin_phantom(shape, seed)
    paths = []
    for folder, array in (("images", image), ("labels", truth * np.uint8(255))):
        path = destination / folder / f"{case_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            save_image(Image.fromarray(array), temporary)
        paths.append(path)
    return paths[0], paths[1]


def write_cardiac_phantom(
    destination: Path,
    patient: str,
    shape: Sequence[int] = CARDIAC_SHAPE,
    *,
    seed: int = 0,
    spacing: Sequence[float] | None = None,
) -> list[tuple[str, Path, Path]]:
    """Write end-diastole and end-systole of one patient.

    The names are those of ACDC, so that ``acdc.find_cases`` reads the folder, too: images/<patient>_frame01.nii.gz and
    labels/<patient>_frame01_gt.nii.gz, then the frame of end-systole.

    Args:
        destination: folder to write into.
        patient: beginning of the names of the files.
        shape: (X, Y, Z). The anatomy spreads over the grid, whatever the spacing.
        seed: of the patient and the noise.
        spacing: mm along X, Y, Z; without it the affine is the identity, as in files that lost their spacing.

    Returns:
        Case identifier, image and label of both.
    """
    affine = np.eye(4) if spacing is None else np.diag([*spacing, 1.0])
    written = []
    for frame, phase in ((1, DIASTOLE), (8 + seed % 7, SYSTOLE)):
        case_id = f"{patient}_frame{frame:02d}"
        image = destination / "images" / f"{case_id}.nii.gz"
        label = destination / "labels" / f"{case_id}_gt.nii.gz"
        for path, array in zip((image, label), cardiac_phantom(shape, seed, phase), strict=True):
            _write_nifti(path, array, affine)
        written.append((case_id, image, label))
    return written


def _check_shape(task: str, shape: Sequence[int] | None) -> tuple[int, ...]:
    if task not in SHAPES:
        raise ValueError(f"no phantom for the task {task!r}, expected one of {', '.join(SHAPES)}")
    size = tuple(shape) if shape is not None else SHAPES[task]
    if len(size) != len(SHAPES[task]) or any(n < minimum for n, minimum in zip(size, MIN_SHAPES[task], strict=True)):
        shape_text, minimum_text = (" ".join(map(str, numbers)) for numbers in (size, MIN_SHAPES[task]))
        raise ValueError(f"shape {shape_text} for {task}, expected {AXES[task]}, at least {minimum_text}")
    return size


def _write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)
