"""Sobel against scipy, the three differences by loop and by hand, and their gradient."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from s3net_monai.losses import SpatialConsistencyLoss
from s3net_monai.losses.spatial_consistency import sobel


def random_logits(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("size", [(6, 9), (1, 5), (4, 5, 3), (3, 4, 1)])
def test_sobel_equals_scipy(size: tuple[int, ...]) -> None:
    maps = random_logits(2, 3, *size)
    for axis, b, c in product(range(len(size)), range(2), range(3)):
        expected = ndimage.sobel(maps[b, c].numpy(), axis=axis, mode="nearest")
        np.testing.assert_allclose(sobel(maps, (axis,))[b, c].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(6, 9), (4, 5, 3)])
def test_mixed_sobel_derives_along_both_axes(size: tuple[int, ...]) -> None:
    maps = random_logits(1, 1, *size)
    for axes in combinations(range(len(size)), 2):
        expected = maps[0, 0].numpy()
        for axis in range(len(size)):
            taps = [-1, 0, 1] if axis in axes else [1, 2, 1]
            expected = ndimage.correlate1d(expected, taps, axis=axis, mode="nearest")
        np.testing.assert_allclose(sobel(maps, axes)[0, 0].numpy(), expected, atol=1e-12)


def loop_loss(logits: Tensor) -> float:
    maps = torch.softmax(logits, 1).numpy()
    dims = maps.ndim - 2

    def response(image: np.ndarray, voxel: tuple[int, ...], axes: tuple[int, ...]) -> float:
        total = 0.0
        for step in product((-1, 0, 1), repeat=dims):
            factor = np.prod([s if axis in axes else 2 - abs(s) for axis, s in enumerate(step)])
            neighbor = np.clip(np.add(voxel, step), 0, np.array(image.shape) - 1)
            total += factor * image[tuple(neighbor)]
        return total

    loss, count = 0.0, maps.size
    for b, k in np.ndindex(*maps.shape[:2]):
        for voxel, (i, j) in product(np.ndindex(*maps.shape[2:]), combinations(range(dims), 2)):
            si, sj, sij = (response(maps[b, k], voxel, axes) for axes in ((i,), (j,), (i, j)))
            loss += (abs(sj - si) + abs(sij - si) + abs(sij - sj)) / count
    return loss


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 2, 6, 1), (1, 2, 3, 4, 2)])
def test_equals_the_loop(shape: tuple[int, ...]) -> None:
    logits = random_logits(*shape)
    assert SpatialConsistencyLoss()(logits).item() == pytest.approx(loop_loss(logits), rel=1e-6)


@pytest.mark.parametrize("size", [(5, 6), (4, 3, 5)])
def test_flat_maps_cost_nothing(size: tuple[int, ...]) -> None:
    logits = torch.tensor([2.0, -1.0, 0.5]).reshape(1, 3, *[1] * len(size)).expand(2, 3, *size)
    assert SpatialConsistencyLoss()(logits).item() == pytest.approx(0, abs=1e-5)


def test_one_straight_border_by_hand() -> None:
    """Two columns have a step of 1 with the weights 1 + 2 + 1 = 4 along the first axis, none along the second."""
    logits = torch.full((1, 2, 6, 5), 40.0)
    logits[:, 0, 3:], logits[:, 1, :3] = -40.0, -40.0
    assert SpatialConsistencyLoss()(logits).item() == pytest.approx((4 + 4) * 2 / 6)


def test_speckle_costs_more_than_a_border() -> None:
    border = torch.zeros(1, 2, 8, 8)
    border[:, 0, 4:] = 20
    speckle = torch.zeros(1, 2, 8, 8)
    speckle[:, 0].view(-1)[torch.randperm(64, generator=torch.Generator().manual_seed(0))[:32]] = 20
    loss = SpatialConsistencyLoss()
    assert loss(speckle) > 1.5 * loss(border)


@pytest.mark.parametrize("shape", [(1, 2, 3, 4), (1, 2, 2, 3, 2)])
def test_has_a_gradient_at_every_voxel(shape: tuple[int, ...]) -> None:
    logits = random_logits(*shape).requires_grad_()
    SpatialConsistencyLoss()(logits).backward()
    assert (logits.grad.abs().sum(1) > 0).all()
    assert torch.autograd.gradcheck(SpatialConsistencyLoss(), logits)
