"""Tests of skin artifacts: where and how often they are drawn, and that seeds repeat them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s3net_monai.transforms import RandSkinArtifactsd

IMAGE = torch.full((3, 48, 64), 0.7)


def draw(seed: int, prob: float = 1.0) -> torch.Tensor:
    transform = RandSkinArtifactsd("image", prob=prob)
    transform.set_random_state(seed)
    return transform({"image": IMAGE, "weak_label": "kept"})["image"]


def test_probability_zero_changes_nothing() -> None:
    assert torch.equal(draw(0, prob=0), IMAGE)


@pytest.mark.parametrize("seed", range(20))
def test_shape_type_and_range_stay(seed: int) -> None:
    image = draw(seed)
    assert image.shape == IMAGE.shape
    assert image.dtype == IMAGE.dtype
    assert 0 <= image.min() <= image.max() <= 1
    assert not torch.equal(image, IMAGE)
    assert torch.equal(IMAGE, torch.full((3, 48, 64), 0.7))  # the cached original is not changed


def test_seeds_repeat() -> None:
    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_each_kind_appears_at_its_probability() -> None:
    transform = RandSkinArtifactsd("image", prob=0.2)
    transform.set_random_state(0)
    changed = [not torch.equal(transform({"image": IMAGE})["image"], IMAGE) for _ in range(300)]
    assert np.mean(changed) == pytest.approx(1 - 0.8**3, abs=0.08)


def test_patches_lie_at_the_border_and_hairs_are_dark() -> None:
    transform = RandSkinArtifactsd("image")
    transform.set_random_state(1)
    for _ in range(20):
        image = np.full((3, 48, 64), 0.7, dtype=np.float32)
        transform._draw_patch(image)
        changed = (image != np.float32(0.7)).any(axis=0)
        assert changed.any()
        assert changed[[0, -1]].any() or changed[:, [0, -1]].any()
        assert not changed[21:27, 29:35].all()
        hairy = np.full((3, 48, 64), 0.7, dtype=np.float32)
        transform._draw_hairs(hairy)
        assert hairy.max() <= np.float32(0.7)
