"""Volumes of a few voxels, and runs over them in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from s3net_monai.inference import Bundle, Settings, find_cases, run_batch


def write_uniform_volume(path: Path, hu: int, size: int = 3) -> None:
    """Write a cube of that many voxels a side, all of one value."""
    nib.save(nib.Nifti1Image(np.full((size, size, size), hu, dtype=np.int16), np.eye(4)), path)


def write_volume(path: Path) -> None:
    """Write 3x3x3 voxels, of which those of the first plane are lung."""
    hu = np.zeros((3, 3, 3), dtype=np.int16)
    hu[0] = -900
    nib.save(nib.Nifti1Image(hu, np.eye(4)), path)


def run(volumes: Path, bundle: Bundle, output: Path, **settings: Any) -> dict[str, Any]:
    """Segment the cases in a folder, and return the content of ``report.json``."""
    run_batch(find_cases([volumes]).cases, bundle, output, settings=Settings(workers=0, **settings))
    stored: dict[str, Any] = json.loads((output / "report.json").read_text())
    return stored
