"""Equivariance: values by hand, a loop over voxels, exact rotations, and uncovered voxels."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.losses import AffineConsistencyLoss
from s3net_monai.losses.affine_consistency import in_bounds_mask, warp
from tests.helpers.tensors import affine_grid, identity_grid


def shifted(grid: Tensor, axis: int, voxels: float) -> Tensor:
    """The grid, reading ``voxels`` further along a spatial axis."""
    shift = torch.zeros(grid.shape[-1])
    shift[-1 - axis] = 2 * voxels / grid.shape[1 + axis]
    return grid + shift


def quarter_rotation(batch: int, *size: int) -> Tensor:
    """Rotation by 90 degrees in the plane of the first two axes, for images with X == Y."""
    grid = identity_grid(batch, *size)
    swapped = grid.clone()
    swapped[..., -1], swapped[..., -2] = -grid[..., -2], grid[..., -1]
    return swapped


def random_logits(*shape: int) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def loop_loss(input: Tensor, transformed: Tensor, grid: Tensor) -> float:
    p, q, points = (tensor.double().numpy() for tensor in (input.softmax(1), transformed.softmax(1), grid))
    size = p.shape[2:]
    terms = []
    for b, voxel in product(range(p.shape[0]), np.ndindex(*size)):
        point = points[(b, *voxel)]
        if np.abs(point).max() > 1:
            continue
        position = ((point[::-1] + 1) * size - 1) / 2
        expected = np.zeros(p.shape[1])
        for corner in product((0, 1), repeat=len(size)):
            neighbor = np.floor(position).astype(int) + corner
            weight = np.prod(1 - np.abs(position - neighbor))
            expected += weight * p[(b, slice(None), *np.clip(neighbor, 0, np.array(size) - 1))]
        terms.append(-math.log(expected @ q[(b, slice(None), *voxel)]))
    return sum(terms) / max(len(terms), 1)


def logits(*probabilities: float) -> Tensor:
    """Logits of one voxel with these cluster probabilities."""
    return torch.tensor(probabilities).log().reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (logits(0.5, 0.5), logits(0.5, 0.5), math.log(2)),
        (logits(0.25, 0.25, 0.25, 0.25), logits(0.7, 0.1, 0.1, 0.1), math.log(4)),
        (logits(0.9, 0.1), logits(0.8, 0.2), -math.log(0.9 * 0.8 + 0.1 * 0.2)),
        (logits(0.9, 0.1), logits(0.2, 0.8), -math.log(0.9 * 0.2 + 0.1 * 0.8)),
        (logits(1 - 1e-7, 1e-7), logits(1 - 1e-7, 1e-7), 0.0),
        (logits(1.0, 0.0), logits(0.0, 1.0), -math.log(1e-12)),  # a certain contradiction costs much, but is finite
    ],
)
def test_expected_values(first: Tensor, second: Tensor, expected: float) -> None:
    loss = AffineConsistencyLoss()(first, second, identity_grid(1, 1, 1))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(4, 7), (1, 5), (4, 3, 5), (3, 4, 1)])
@pytest.mark.parametrize("num_clusters", [2, 4])
@pytest.mark.parametrize("make_grid", [identity_grid, affine_grid])
def test_equals_the_loop(size: tuple[int, ...], num_clusters: int, make_grid: Callable[..., Tensor]) -> None:
    first, second = random_logits(2, num_clusters, *size), random_logits(2, num_clusters, *size).flip(0)
    grid = make_grid(2, *size)
    loss = AffineConsistencyLoss()(first, second, grid).item()
    assert loss == pytest.approx(loop_loss(first, second, grid), rel=1e-4)


@pytest.mark.parametrize("size", [(6, 6), (5, 5, 3)])
def test_only_equivariance_costs_nothing(size: tuple[int, ...]) -> None:
    labels = torch.randint(0, 3, (2, *size), generator=torch.Generator().manual_seed(0))
    certain = 40 * F.one_hot(labels, 3).movedim(-1, 1).float()
    grid = quarter_rotation(2, *size)
    rotated = torch.rot90(certain, -1, dims=(2, 3))
    assert torch.equal(warp(certain, grid).round(), rotated)
    loss = AffineConsistencyLoss()
    assert loss(certain, rotated, grid).item() == pytest.approx(0, abs=1e-4)
    assert loss(certain, certain, grid).item() > 1
    assert loss(certain, torch.rot90(rotated, 2, dims=(2, 3)), grid).item() > 1


@pytest.mark.parametrize("size", [(5, 7), (4, 5, 3)])
@pytest.mark.parametrize("axis", [0, 1])
def test_uncovered_voxels_do_not_count(size: tuple[int, ...], axis: int) -> None:
    loss, grid = AffineConsistencyLoss(), shifted(identity_grid(1, *size), axis, voxels=2)
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


def test_in_bounds_mask_marks_the_covered_voxels() -> None:
    mask = in_bounds_mask(shifted(identity_grid(2, 3, 4), axis=1, voxels=-1))
    assert mask.shape == (2, 1, 3, 4)
    assert mask[0, 0].tolist() == [[0, 1, 1, 1]] * 3


def test_no_covered_voxel_costs_nothing() -> None:
    grid = identity_grid(1, 4, 4) + 5
    assert AffineConsistencyLoss()(random_logits(1, 2, 4, 4), random_logits(1, 2, 4, 4), grid).item() == 0


@pytest.mark.parametrize("size", [(4, 5), (3, 4, 3)])
def test_gradient_reaches_both_views(size: tuple[int, ...]) -> None:
    first, second = (random_logits(1, 3, *size).add(i).roll(i, 2).double().requires_grad_() for i in range(2))
    grid = 0.9 * identity_grid(1, *size).double()
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
def test_shapes_that_do_not_match_are_refused(
    first: tuple[int, ...], second: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="do not match"):
        AffineConsistencyLoss()(torch.zeros(first), torch.zeros(second), identity_grid(*grid))
