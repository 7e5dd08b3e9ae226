"""The supervised U-Net: its samples, its training, and the loading of existing weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from monai.utils import set_determinism
from PIL import Image
from torch import nn

from benchmarks.label_free.supervised import image_transforms, small_unet, train_supervised, with_probabilities
from s3net_monai.inference import bundle_root


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    yield
    set_determinism(None)


@pytest.fixture
def cases(tmp_path: Path) -> list[dict[str, str]]:
    """Dark rectangles on light skin, masks of one bit; rows differ from columns in number."""
    cases = []
    for number in range(4):
        mask = np.zeros((30, 40), dtype=bool)
        mask[4 : 14 + number, 20:36] = True
        gray = np.where(mask, 60, 220).astype(np.uint8)
        paths = {"image": str(tmp_path / f"{number}.jpg"), "label": str(tmp_path / f"{number}.png")}
        Image.fromarray(np.stack([gray] * 3, axis=-1)).save(paths["image"])
        Image.fromarray(mask).save(paths["label"])
        cases.append(paths)
    return cases


def test_mask_lies_on_the_grid_of_the_image(cases: list[dict[str, str]]) -> None:
    sample = Compose(image_transforms(bundle_root("skin")))(cases[0])
    assert set(sample) == {"image", "label"}
    assert sample["image"].shape[1:] == sample["label"].shape[1:]
    assert set(sample["label"].unique().tolist()) == {0.0, 1.0}
    dark = sample["image"].mean(dim=0) < 0.5
    assert (dark == (sample["label"][0] > 0)).float().mean() > 0.97


@pytest.mark.slow
def test_learns_and_is_loaded_again(cases: list[dict[str, str]], tmp_path: Path) -> None:
    weights = tmp_path / "models" / "unet.pt"
    steps = [*image_transforms(bundle_root("skin"))]

    def build() -> nn.Module:
        return nn.Conv2d(3, 2, 1)

    network = train_supervised(
        build,
        cases,
        transforms=steps,
        augmentation=[],
        seed=0,
        weights=weights,
        epochs=40,
        batch_size=4,
        learning_rate=0.2,
    )
    sample = Compose(steps)(cases[0])
    with torch.no_grad():
        probabilities = with_probabilities(network)(sample["image"][None])
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1, *sample["image"].shape[1:]))
    assert ((probabilities[:, 1] > 0.5) == (sample["label"] > 0)).float().mean() > 0.95
    loaded = train_supervised(build, [], transforms=[], augmentation=[], seed=1, weights=weights, epochs=1)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize("dims", [2, 3])
def test_unet_keeps_the_size(dims: int) -> None:
    size = (32,) * dims
    assert small_unet(dims, 1)(torch.randn(2, 1, *size)).shape == (2, 2, *size)
