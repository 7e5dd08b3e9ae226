"""Equivariance: numbers by hand, a loop over every voxel, rotations that are exact, and what must not count."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.losses import AffineConsistencyLoss
from s3net_monai.losses.affine_consistency import in_bounds_mask, warp


def identity(batch: int, *size: int) -> Tensor:
    dims = len(size)
    theta = torch.eye(dims, dims + 1).repeat(batch, 1, 1)
    return F.affine_grid(theta, [batch, 1, *size], align_corners=False)


def shifted(grid: Tensor, axis: int, voxels: float) -> Tensor:
    """The grid, reading ``voxels`` further along a spatial axis."""
    move = torch.zeros(grid.shape[-1])
    move[-1 - axis] = 2 * voxels / grid.shape[1 + axis]
    return grid + move


def quarter_turn(batch: int, *size: int) -> Tensor:
    """Rotation by 90 degrees in the plane of the first two axes, for images with X == Y."""
    grid = identity(batch, *size)
    swapped = grid.clone()
    swapped[..., -1], swapped[..., -2] = -grid[..., -2], grid[..., -1]
    return swapped


def random_grid(batch: int, *size: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    dims = len(size)
    theta = torch.eye(dims, dims + 1) + 0.4 * torch.randn(batch, dims, dims + 1, generator=generator)
    return F.affine_grid(theta, [batch, 1, *size], align_corners=False)


def random_logits(*shape: int) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def slow_loss(input: Tensor, transformed: Tensor, grid: Tensor) -> float:
    p, q, points = (tensor.double().numpy() for tensor in (input.softmax(1), transformed.softmax(1), grid))
    size = p.shape[2:]
    terms = []
    for b, voxel in product(range(p.shape[0]), np.ndindex(*size)):
        point = points[(b, *voxel)]
        if np.abs(point).max() > 1:
            continue
        at = ((point[::-1] + 1) * size - 1) / 2
        expected = np.zeros(p.shape[1])
        for corner in product((0, 1), repeat=len(size)):
            near = np.floor(at).astype(int) + corner
            share = np.prod(1 - np.abs(at - near))
            expected += share * p[(b, slice(None), *np.clip(near, 0, np.array(size) - 1))]
        terms.append(-math.log(expected @ q[(b, slice(None), *voxel)]))
    return sum(terms) / max(len(terms), 1)


def logits(*shares: float) -> Tensor:
    """Logits of one voxel with the given cluster probabilities."""
    return torch.tensor(shares).log().reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (logits(0.5, 0.5), logits(0.5, 0.5), math.log(2)),
        (logits(0.25, 0.25, 0.25, 0.25), logits(0.7, 0.1, 0.1, 0.1), math.log(4)),
        (logits(0.9, 0.1), logits(0.8, 0.2), -math.log(0.9 * 0.8 + 0.1 * 0.2)),
        (logits(0.9, 0.1), logits(0.2, 0.8), -math.log(0.9 * 0.2 + 0.1 * 0.8)),
        (logits(1 - 1e-7, 1e-7), logits(1 - 1e-7, 1e-7), 0.0),
        (logits(1.0, 0.0), logits(0.0, 1.0), -math.log(1e-12)),  # certain contradiction: large, but finite
    ],
)
def test_expected_values(first: Tensor, second: Tensor, expected: float) -> None:
    loss = AffineConsistencyLoss()(first, second, identity(1, 1, 1))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(4, 7), (1, 5), (4, 3, 5), (3, 4, 1)])
@pytest.mark.parametrize("num_clusters", [2, 4])
@pytest.mark.parametrize("make_grid", [identity, random_grid])
def test_equals_the_loop(size: tuple[int, ...], num_clusters: int, make_grid: object) -> None:
    first, second = random_logits(2, num_clusters, *size), random_logits(2, num_clusters, *size).flip(0)
    grid = make_grid(2, *size)
    found = AffineConsistencyLoss()(first, second, grid).item()
    assert found == pytest.approx(slow_loss(first, second, grid), rel=1e-4)


@pytest.mark.parametrize("size", [(6, 6), (5, 5, 3)])
def test_an_equivariant_network_pays_nothing_and_any_other_does(size: tuple[int, ...]) -> None:
    labels = torch.randint(0, 3, (2, *size), generator=torch.Generator().manual_seed(0))
    certain = 40 * F.one_hot(labels, 3).movedim(-1, 1).float()
    grid = quarter_turn(2, *size)
    turned = torch.rot90(certain, -1, dims=(2, 3))
    assert torch.equal(warp(certain, grid).round(), turned)
    loss = AffineConsistencyLoss()
    assert loss(certain, turned, grid).item() == pytest.approx(0, abs=1e-4)
    assert loss(certain, certain, grid).item() > 1
    assert loss(certain, torch.rot90(turned, 2, dims=(2, 3)), grid).item() > 1


@pytest.mark.parametrize("size", [(5, 7), (4, 5, 3)])
@pytest.mark.parametrize("axis", [0, 1])
def test_voxels_outside_do_not_count(size: tuple[int, ...], axis: int) -> None:
    loss, grid = AffineConsistencyLoss(), shifted(identity(1, *size), axis, voxels=2)
    first, second = random_logits(1, 3, *size), random_logits(1, 3, *size).flip(2)
    before = loss(first, second, grid)

    length = size[axis]
    unread = first.clone()
    unread.narrow(2 + axis, 0, 2).add_(torch.randn(3).reshape(1, 3, *[1] * len(size)))
    uncovered = second.clone()
    uncovered.narrow(2 + axis, length - 2, 2).add_(torch.randn(3).reshape(1, 3, *[1] * len(size)))
    torch.testing.assert_close(loss(unread, uncovered, grid), before)

    covered = second.clone()
    covered.narrow(2 + axis, length - 3, 1)[:, 0] += 3
    assert not torch.isclose(loss(first, covered, grid), before)


def test_inside_marks_the_covered_voxels() -> None:
    mask = in_bounds_mask(shifted(identity(2, 3, 4), axis=1, voxels=-1))
    assert mask.shape == (2, 1, 3, 4)
    assert mask[0, 0].tolist() == [[0, 1, 1, 1]] * 3


def test_nothing_covered_is_a_loss_of_zero() -> None:
    grid = identity(1, 4, 4) + 5
    assert AffineConsistencyLoss()(random_logits(1, 2, 4, 4), random_logits(1, 2, 4, 4), grid).item() == 0


@pytest.mark.parametrize("size", [(4, 5), (3, 4, 3)])
def test_teaches_both_views(size: tuple[int, ...]) -> None:
    first, second = (random_logits(1, 3, *size).add(i).roll(i, 2).double().requires_grad_() for i in range(2))
    grid = 0.9 * identity(1, *size).double()
    AffineConsistencyLoss()(first, second, grid).backward()
    assert (first.grad.abs().sum(1) > 0).all()
    assert (second.grad.abs().sum(1) > 0).all()
    assert torch.autograd.gradcheck(lambda a, b: AffineConsistencyLoss()(a, b, grid), (first, second))


@pytest.mark.parametrize(
    ("first", "second", "grid"),
    [
        ((1, 2, 4, 5), (1, 2, 5, 4), (1, 4, 5)),
        ((1, 2, 4, 5), (1, 3, 4, 5), (1, 4, 5)),
        ((2, 2, 4, 5), (2, 2, 4, 5), (1, 4, 5)),
        ((1, 2, 4, 5), (1, 2, 4, 5), (1, 5, 4)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(
    first: tuple[int, ...], second: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        AffineConsistencyLoss()(torch.zeros(first), torch.zeros(second), identity(*grid))
