"""Tests of mask jitter: how far each setting reaches, and which masks survive."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from s3net_monai.transforms.jitter_mask import jitter_masks

NO_JITTER: dict[str, Any] = {"shift": 0.0, "scale": 0.0, "radius": 0, "elastic": 0.0}


def boxes(count: int, *size: int) -> Tensor:
    """Return boxes of half the size along each axis, off center by an eighth along the first."""
    mask = torch.zeros(count, 1, *size)
    first = slice(size[0] // 4 + size[0] // 8, 3 * size[0] // 4 + size[0] // 8)
    mask[(..., first, *[slice(n // 4, 3 * n // 4) for n in size[1:]])] = 1
    return mask


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


def centers(mask: Tensor) -> Tensor:
    axes = torch.meshgrid(*[torch.arange(float(n)) for n in mask.shape[2:]], indexing="ij")
    total = mask.flatten(1).sum(1)
    return torch.stack([(mask[:, 0] * axis).flatten(1).sum(1) / total for axis in axes], dim=1)


@pytest.mark.parametrize("size", [(32, 48), (16, 20, 12)])
def test_zero_ranges_change_nothing(size: tuple[int, ...]) -> None:
    assert torch.equal(jitter_masks(boxes(2, *size), **NO_JITTER), boxes(2, *size))


@pytest.mark.parametrize("size", [(64, 96), (48, 40, 32)])
def test_shift_is_a_fraction_of_every_axis(size: tuple[int, ...]) -> None:
    mask = boxes(64, *size)
    shifted = jitter_masks(mask, **{**NO_JITTER, "shift": 0.1})
    fraction = (centers(shifted) - centers(mask)).abs().amax(dim=0) / torch.tensor(size)
    assert (fraction <= 0.1 + 0.5 / min(size)).all()
    assert (fraction > 0.07).all()
    sides = shifted[:, 0].flatten(2).any(2).sum(1), shifted[:, 0].transpose(1, 2).flatten(2).any(2).sum(1)
    assert all(((side - n // 2).abs() <= 1).all() for side, n in zip(sides, size, strict=False))


def test_scale_is_about_the_center_of_the_mask() -> None:
    mask = boxes(64, 128, 128)
    scaled = jitter_masks(mask, **{**NO_JITTER, "scale": 0.25})
    assert (centers(scaled) - centers(mask)).abs().max() <= 1
    ratio = (scaled.flatten(1).sum(1) / mask.flatten(1).sum(1)).sqrt()
    assert 0.77 < ratio.min() < 0.86
    assert 1.18 < ratio.max() < 1.28


@pytest.mark.parametrize("size", [(32, 32), (32, 32, 8)])
def test_radius_grows_and_shrinks_in_the_plane(size: tuple[int, ...]) -> None:
    mask = boxes(64, *size)
    changed = jitter_masks(mask, **{**NO_JITTER, "radius": 2})
    depth = mask.amax(dim=(1, 2, 3)).sum(1) if len(size) == 3 else None
    growth = set()
    for single in changed:
        inside = single[0].nonzero()
        sides = (inside.amax(0) - inside.amin(0) + 1).tolist()
        assert single.sum() == torch.tensor(sides).prod()  # a box stays a box
        assert sides[0] == sides[1]
        if depth is not None:
            assert sides[2] == 4
        growth.add(sides[0] - 16)
    assert growth == {-4, -2, 0, 2, 4}


def test_elastic_changes_the_border_alone() -> None:
    mask = boxes(16, 64, 64)
    bent = jitter_masks(mask, **{**NO_JITTER, "elastic": 0.05})
    changed = bent != mask
    assert changed.flatten(1).any(1).all()
    inner, outer = torch.zeros_like(mask), torch.zeros_like(mask)
    inner[..., 29:51, 21:43] = 1  # 5 pixels inside the box; 0.05 of 64 is 3.2
    outer[..., 19:61, 11:53] = 1
    assert (bent * inner == inner).all()
    assert (bent * (1 - outer) == 0).all()


def test_thin_walls_and_small_masks_survive() -> None:
    ring = boxes(200, 32, 32)
    ring[..., 13:27, 9:23] = 0  # a wall of one pixel
    jittered = jitter_masks(ring, shift=0.0, scale=0.0, radius=3, elastic=0.0)
    assert jittered.flatten(1).sum(1).min() >= ring[0].sum()
    dot = torch.zeros(200, 1, 32, 32)
    dot[..., 0, 0] = 1
    assert jitter_masks(dot, shift=0.5).flatten(1).any(1).all()
    assert not jitter_masks(torch.zeros(8, 1, 32, 32)).any()


def test_masks_are_independent_and_seeds_repeat() -> None:
    mask = boxes(6, 64, 64)
    torch.manual_seed(0)
    first = jitter_masks(mask)
    assert not torch.equal(first, jitter_masks(mask))
    assert len({tuple(single.flatten().tolist()) for single in first}) == 6
    torch.manual_seed(0)
    assert torch.equal(first, jitter_masks(mask))
    assert set(first.unique().tolist()) == {0, 1}
    assert jitter_masks(mask.bool()).dtype == torch.bool
