"""Samples from region maps, their frequency, and regions that touch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from s3net_monai.losses.region_sampling import resize_regions, sample_pixels, sample_shared_regions, touching


def random_map(*size: int, number: int = 5, seed: int = 0) -> Tensor:
    return torch.randint(0, number, size, generator=torch.Generator().manual_seed(seed))


def loop_touching(regions: Tensor, ids: Tensor) -> Tensor:
    grid, touch = regions.numpy(), torch.zeros(len(ids), len(ids), dtype=torch.bool)
    positions = {number: i for i, number in enumerate(ids.tolist())}
    for voxel in np.ndindex(*grid.shape):
        for axis in range(grid.ndim):
            neighbor = list(voxel)
            neighbor[axis] += 1
            if neighbor[axis] < grid.shape[axis]:
                a, b = int(grid[voxel]), int(grid[tuple(neighbor)])
                if a != b and a in positions and b in positions:
                    touch[positions[a], positions[b]] = touch[positions[b], positions[a]] = True
    return touch


@pytest.mark.parametrize("size", [(6, 7), (1, 9), (4, 5, 3)])
@pytest.mark.parametrize("ids", [[1, 2, 3, 4], [2, 9], [3], []])
def test_touching_equals_the_loop(size: tuple[int, ...], ids: list[int]) -> None:
    regions = random_map(*size, number=12)
    region_ids = torch.tensor(ids, dtype=torch.long)
    assert torch.equal(touching(regions, region_ids), loop_touching(regions, region_ids))


def test_touching_by_hand() -> None:
    """Regions that share a corner or are two voxels apart do not touch; regions not listed are ignored."""
    regions = torch.tensor([[1, 1, 2], [1, 4, 3], [0, 3, 3]])
    expected = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    assert torch.equal(touching(regions, torch.tensor([1, 2, 3])), expected)


def test_only_regions_of_both_maps_are_sampled() -> None:
    first, second = torch.tensor([[0, 3, 5], [9, 9, 12]]), torch.tensor([[0, 5, 3, 7], [12, 12, 0, 8]])
    torch.manual_seed(0)
    assert sample_shared_regions(first, second, 9).tolist() == [3, 5, 12]
    samples = [tuple(sample_shared_regions(first, second, 2).tolist()) for _ in range(60)]
    assert set(samples) == {(3, 5), (3, 12), (5, 12)}
    assert len(sample_shared_regions(first, torch.zeros(2, 3, dtype=torch.long), 4)) == 0


def test_large_and_small_regions_are_sampled_equally_often() -> None:
    regions = torch.ones(40, 40, dtype=torch.long)
    regions[0, :4] = torch.tensor([2, 3, 4, 5])
    torch.manual_seed(0)
    counts = (
        torch.stack([sample_shared_regions(regions, regions, 1) for _ in range(500)]).flatten().bincount(minlength=6)
    )
    assert counts[0] == 0
    assert (counts[1:] > 60).all()  # 100 each on average, a standard deviation of 9


@pytest.mark.parametrize("size", [(9, 8), (4, 5, 6)])
def test_every_pixel_of_a_region_is_sampled_and_no_other(size: tuple[int, ...]) -> None:
    regions = random_map(*size)
    ids = torch.tensor([1, 2, 4])
    torch.manual_seed(0)
    indices = sample_pixels(regions, ids, 2000)
    assert torch.equal(regions.flatten()[indices], ids[:, None].expand(3, 2000))
    for number, row in zip(ids, indices, strict=True):
        assert torch.equal(row.unique(), (regions.flatten() == number).nonzero().flatten())


def test_a_region_smaller_than_the_number_of_pixels() -> None:
    regions = torch.tensor([[1, 1], [7, 0]])
    assert sample_pixels(regions, torch.tensor([1, 7]), 5)[1].tolist() == [2] * 5


@pytest.mark.parametrize("size", [(5, 7), (3, 4, 5)])
def test_resizing_samples_voxel_centers(size: tuple[int, ...]) -> None:
    """A map three times as fine is resized to the map itself, not to the voxels beside the centers."""
    coarse = random_map(2, 1, *size, number=2**24)
    fine = coarse
    for axis in range(2, coarse.dim()):
        fine = fine.repeat_interleave(3, dim=axis)
    edges = fine.clone()
    for axis in range(2, coarse.dim()):  # change voxels beside the middle one of three
        edges.index_fill_(axis, torch.arange(0, fine.shape[axis], 3), 1)
    assert torch.equal(resize_regions(edges, size), coarse)
    assert torch.equal(resize_regions(coarse, fine.shape[2:]), fine)
    assert torch.equal(resize_regions(coarse.float(), size), coarse.float().long())
