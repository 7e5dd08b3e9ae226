"""Objects are drawn where and as often as said, inside the picture, again and again the same from one seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s3net_monai.transforms import RandSkinArtifactsd

PICTURE = torch.full((3, 48, 64), 0.7)


def draw(seed: int, prob: float = 1.0) -> torch.Tensor:
    transform = RandSkinArtifactsd("image", prob=prob)
    transform.set_random_state(seed)
    return transform({"image": PICTURE, "weak_label": "kept"})["image"]


def test_probability_nought_changes_nothing() -> None:
    assert torch.equal(draw(0, prob=0), PICTURE)


@pytest.mark.parametrize("seed", range(20))
def test_pictures_stay_pictures(seed: int) -> None:
    picture = draw(seed)
    assert picture.shape == PICTURE.shape
    assert picture.dtype == PICTURE.dtype
    assert 0 <= picture.min() <= picture.max() <= 1
    assert not torch.equal(picture, PICTURE)
    assert torch.equal(PICTURE, torch.full((3, 48, 64), 0.7))  # the cached original is not drawn into


def test_seeds_repeat() -> None:
    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_each_kind_appears_at_its_probability() -> None:
    transform = RandSkinArtifactsd("image", prob=0.2)
    transform.set_random_state(0)
    touched = [not torch.equal(transform({"image": PICTURE})["image"], PICTURE) for _ in range(300)]
    assert np.mean(touched) == pytest.approx(1 - 0.8**3, abs=0.08)


def test_patches_lie_at_the_border_and_hairs_are_dark() -> None:
    transform = RandSkinArtifactsd("image")
    transform.set_random_state(1)
    for _ in range(20):
        picture = np.full((3, 48, 64), 0.7, dtype=np.float32)
        transform._patch(picture)
        changed = (picture != np.float32(0.7)).any(axis=0)
        assert changed.any()
        assert changed[[0, -1]].any() or changed[:, [0, -1]].any()
        assert not changed[21:27, 29:35].all()
        hairy = np.full((3, 48, 64), 0.7, dtype=np.float32)
        transform._hairs(hairy)
        assert hairy.max() <= np.float32(0.7)
