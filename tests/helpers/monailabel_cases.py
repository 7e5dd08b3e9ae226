"""Settings that make the served bundles small enough to train in a test, and images with labels for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from PIL import Image

from data_prep.phantom import write_cardiac_phantom, write_lung_phantom, write_skin_phantom
from data_prep.phantom_grid import phantom_affine
from s3net_monai.cli import main

SKIN, LUNG, CARDIAC = "skin_lesion_segmentation", "lung_ct_segmentation", "cardiac_mr_segmentation"
LABELS = {
    LUNG: {"lung": 1},
    SKIN: {"lesion": 1},
    CARDIAC: {"rv": 1, "myo": 2, "lv": 3},
}  # MONAI Label writes names in lower case
OBLIQUE = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
LUNG_SHAPE, LUNG_SPACING = (40, 36, 8), (8.0, 8.0, 5.0)  # so few slices that the network processes them at once
SMALL: dict[str, dict[str, Any]] = {
    LUNG: {"pixdim": [10, 10, 5], "patch_size": [32, 32, 8], "min_size": [32, 32, 8]},
    SKIN: {"spatial_size": [64, 64], "val_interval": 1},
    CARDIAC: {"spatial_size": [64, 64], "val_interval": 1},
}


def write_pairs(name: str, folder: Path, count: int) -> list[dict[str, str]]:
    """Write images and labels as in MONAI Label's datastore: images in one folder, labels in another."""
    pairs: list[tuple[Path, Path]] = []
    for index in range(count):
        if name == SKIN:
            pairs.append(write_skin_phantom(folder, f"case{index}", (90, 70), seed=index))
        elif name == LUNG:
            affine = phantom_affine(LUNG_SHAPE, LUNG_SPACING, OBLIQUE)
            pairs.append(write_lung_phantom(folder, f"case{index}", LUNG_SHAPE, seed=index, affine=affine))
        else:
            phases = write_cardiac_phantom(folder, f"case{index}", (48, 40, 4), seed=index, spacing=(6.25, 7.5, 8.0))
            pairs.append(phases[0][1:])
    return [{"image": str(image), "label": str(label)} for image, label in pairs]


def shrink(bundle: Path) -> None:
    """Make the training of a served bundle quick: small images, two steps per epoch."""
    config = bundle / "configs" / "train.json"
    settings = json.loads(config.read_text()) | SMALL[bundle.name] | {"epoch_length": 2, "batch_size": 2}
    config.write_text(json.dumps(settings))


def weights(bundle: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(bundle / "models" / "model.pt", weights_only=True)
    return state


def command_line(task: str, image: Path, output: Path) -> Path:
    """Segment an image with ``s3net segment``, and return the path of the mask."""
    arguments = ["segment", str(image), "--task", task, "--output", str(output), "--device", "cpu", "--workers", "0"]
    assert main(arguments) == 0
    (mask,) = output.glob("*_seg.*")
    return mask


def read_mask(path: Path) -> np.ndarray:
    """Read label values; those of a 2-D mask as 0 and 1."""
    return np.asarray(Image.open(path)) > 0 if path.suffix == ".png" else np.asarray(nib.load(path).dataobj)
