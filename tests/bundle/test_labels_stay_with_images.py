"""A label goes where its image goes. PyTorch's "nearest" moves it by up to half a pixel at each of three steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from tests.helpers.paths import CARDIAC_BUNDLE

CONFIGS = CARDIAC_BUNDLE / "configs"
SIZE = (150, 210, 2)
ROUGH = 0.4  # pixels, what sampling a thin ring at its nearest pixels may do to its center; "nearest" gives 0.9 and 1.2


@pytest.fixture
def parser() -> ConfigParser:
    config = ConfigParser()
    config.read_config(str(CONFIGS / "train.json"))
    config.update({"train#intensity_augmentation": {}, "bundle_root": "."})
    return config


@pytest.fixture
def case(tmp_path: Path) -> dict[str, str]:
    """A ring of the myocardium's thickness, off the center; its label is where it is bright."""
    x, y = np.meshgrid(*(np.arange(count) for count in SIZE[:2]), indexing="ij")
    radius = np.hypot(x - 70, y - 110)
    ring = np.clip(np.minimum(radius - 18, 26 - radius) + 0.5, 0, 1)[..., None].repeat(SIZE[2], axis=-1)
    for name, array in (("image", (200 * ring).astype(np.float32)), ("label", (ring > 0.5).astype(np.uint8))):
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    return {name: str(tmp_path / f"{name}.nii.gz") for name in ("image", "label")}


def offset(sample: dict[str, Any]) -> torch.Tensor:
    """Center of the bright ring less that of its label, in pixels."""
    image, label = (torch.as_tensor(sample[key]).as_subclass(torch.Tensor)[0].float() for key in ("image", "label"))
    weights = ((image - image.min()) / (image.max() - image.min()), label)
    grid = torch.stack(torch.meshgrid(*(torch.arange(count) for count in label.shape), indexing="ij")).float()
    return torch.stack([(grid * weight).flatten(1).sum(1) / weight.sum() for weight in weights]).diff(dim=0)[0]


def test_after_reading(parser: ConfigParser, case: dict[str, str]) -> None:
    assert offset(parser.get_parsed_content("train#read_volume")(case)).abs().max() < ROUGH


def test_after_random_moves(parser: ConfigParser, case: dict[str, str]) -> None:
    volume = parser.get_parsed_content("train#read_volume")(case)
    still = {key: torch.as_tensor(volume[key]).as_subclass(torch.Tensor)[..., 0] for key in ("image", "label")}
    move = parser.get_parsed_content("train#augment").set_random_state(0)
    offsets = torch.stack([offset(move(dict(still))) for _ in range(20)])
    assert offsets.mean(dim=0).abs().max() < ROUGH
