"""Toy studies for the few-label benchmark: phantoms or random slices, tiny networks, two iterations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.few_labels.rows import STUDIES
from benchmarks.few_labels.types import Study
from data_prep.phantom import write_cardiac_phantom

TINY: dict[str, Any] = {
    "device": "cpu",
    "iterations": 2,
    "epoch_length": 2,
    "batch_size": 2,
    "encoder_def#channels": [4, 8],
    "field_of_view": [32, 32],
    "spatial_size": [32, 32],
}


def toy_study(task: str, **changes: Any) -> Study:
    """Return the study of a task with columns 1 and all, and tiny trainings."""
    return replace(STUDIES[task], **{"columns": (1, None), "overrides": TINY, **changes})


def write_acdc(data: Path, patients: tuple[int, ...] = (1, 2, 3, 71)) -> Path:
    """Write phantoms of (32, 32, 4) voxels in the layout of ACDC; patient 71 is for the report."""
    for patient in patients:
        write_cardiac_phantom(data / "cardiac" / "acdc", f"patient{patient:03d}", (32, 32, 4), seed=patient)
    return data


def write_curvas(data: Path) -> Path:
    """Write slices of 32x24 pixels of two cases for training and one for the report."""
    random = np.random.default_rng(0)
    for name in ("10001_7_r1", "10001_9_r2", "10002_3_r1", "10006_3_r2"):
        for part, top in (("images", 256), ("labels", 4)):
            folder = data / "abdomen" / "curvas" / part
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, top, (24, 32), np.uint8)).save(folder / f"{name}.png")
    return data
