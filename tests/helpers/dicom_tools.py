"""Validators and second readers of DICOM SEG, and the geometries that every writer is tested with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from s3net_monai.utils.geometry import LPS_TO_RAS

if TYPE_CHECKING:
    import SimpleITK

ANGLE = np.deg2rad(15)
ROTATION = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
OBLIQUE = (np.cos(ANGLE), np.sin(ANGLE), 0.0, 0.0, 0.0, -1.0)  # coronal, rotated by 15 degrees
DOUBLE_OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
TILTED_PLANE = (1.0, 0.0, 0.0, 0.0, np.cos(ANGLE), np.sin(ANGLE))
IN_PLANE = (np.cos(ANGLE), np.sin(ANGLE), 0.0, -np.sin(ANGLE), np.cos(ANGLE), 0.0)
VL_PHOTOGRAPHY, DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.77.1.7"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
POSITION_KEYWORDS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "FrameOfReferenceUID",
)

# Keyword arguments of ``SeriesMaker``.
SERIES: dict[str, dict[str, Any]] = {
    "axial": {},
    "reversed": {"step": -2.0},
    "non-square pixels": {"pixel_spacing": (0.5, 0.9)},
    "in plane by 15 degrees": {"orientation": IN_PLANE, "pixel_spacing": (0.5, 0.9)},
    "tilted by 15 degrees": {"orientation": TILTED_PLANE, "pixel_spacing": (0.7, 0.7), "step": 3.0},
    "coronal": {"orientation": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)},
    "oblique coronal": {"orientation": OBLIQUE, "pixel_spacing": (0.8, 1.1), "step": -1.5},
}

# RAS+ affines of volumes.
AFFINES: dict[str, np.ndarray] = {
    "identity": np.eye(4),
    "LPS": np.diag([-0.8, -0.8, 2.5, 1]),
    "negative diagonal": np.diag([-1.0, -2, -3, 1]),
    "15 degrees": np.block([[ROTATION @ np.diag([0.7, 0.7, 5]), np.array([[10.0], [-20], [30]])], [np.eye(4)[3:]]]),
    "anisotropic": np.diag([0.5, 0.9, 7, 1]),
    "non-square, left-handed": np.diag([-0.5, 0.9, 1.3, 1]),
}


def foreground_positions(array: np.ndarray, affine: np.ndarray) -> set[tuple[float, ...]]:
    """Return the positions in mm of the foreground voxels of ``array`` (X, Y, Z), to 0.01 mm."""
    indices = np.argwhere(array)
    return {tuple(position) for position in np.round(np.c_[indices, np.ones(len(indices))] @ affine.T, 2)[:, :3] + 0.0}


def dciodvfy_errors(path: Path) -> list[str]:
    """Return the errors of Debian's validator (package dicom3tools); skip the test where it is not installed."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed; apt-get install dicom3tools")
    result = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", timeout=60)
    lines = (result.stdout + result.stderr).splitlines()
    assert "Segmentation" in lines or any("Object Not found" in line for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def read_with_dcmqi(path: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the one segment of a SEG as (X, Y, Z) with its RAS+ affine; skip the test where dcmqi is not installed."""
    program = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dcmqi is not installed; pip install dcmqi")
    folder.mkdir()
    subprocess.run(
        [program, "--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    (image,) = folder.glob("*.nrrd")
    return read_with_simpleitk(image)


def read_with_highdicom(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a SEG's label values as (X, Y, Z) with their RAS+ affine, missing frames filled with background."""
    import highdicom as hd

    seg = hd.seg.segread(path)
    volume = seg.get_volume(combine_segments=True, allow_missing_positions=True)
    return np.asarray(volume.array), LPS_TO_RAS @ volume.affine


def to_itk_image(array: np.ndarray, affine: np.ndarray) -> SimpleITK.Image:
    """Return ``array`` (X, Y, Z) as an ITK image with a RAS+ ``affine``."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array.T)
    lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def read_with_simpleitk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an image as (X, Y, Z) with its RAS+ affine."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).T, LPS_TO_RAS @ affine


def make_vl_image(dataset: Any, **tags: Any) -> Any:
    """Turn a CT slice of 4 rows and 6 columns into a VL image, without a position in the patient."""
    for keyword in (*POSITION_KEYWORDS, "RescaleSlope", "RescaleIntercept", "PositionReferenceIndicator"):
        delattr(dataset, keyword)
    dataset.SOPClassUID, dataset.Modality = VL_PHOTOGRAPHY, "XC"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = np.arange(72, dtype=np.uint8).tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    return dataset
