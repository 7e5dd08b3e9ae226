"""Random moves shift and scale along both axes: MONAI takes a single number for the range of the first axis alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from benchmarks.few_labels.stages import BENCHMARK_CONFIGS
from tests.helpers.paths import CARDIAC_BUNDLE

CONFIGS = CARDIAC_BUNDLE / "configs"


@pytest.mark.parametrize("overlay", [None, BENCHMARK_CONFIGS / "weak_augmentation.json"])
def test_a_label_is_shifted_along_both_axes(overlay: Path | None) -> None:
    parser = ConfigParser()
    parser.read_config([str(path) for path in (CONFIGS / "train.json", overlay) if path])
    parser["train#intensity_augmentation"] = {}
    move = parser.get_parsed_content("train#augment").set_random_state(0)
    square = torch.zeros(1, 96, 96)
    square[:, 43:53, 43:53] = 1  # in the middle, where turns and zooms leave the center
    grid = torch.stack(torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")).float()
    centers = []
    for _ in range(40):
        label = torch.as_tensor(move({"image": square.clone(), "label": square.clone()})["label"])
        centers.append((grid * label).flatten(1).sum(1) / label.sum())
    spread = torch.stack(centers).std(dim=0)
    assert spread.min() > 2
    assert spread.max() / spread.min() < 2
