"""Locations of one view and their points in the other: known geometry, and valid samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s3net_monai.losses.correspondence import far_apart, resize_grid, sample_features, sample_locations
from tests.helpers.tensors import affine_grid, identity_grid


def affine(*size: int, batch: int = 2) -> Tensor:
    return affine_grid(batch, *size, seed=0)


@pytest.mark.parametrize(
    ("fine", "coarse"), [((12, 8), (6, 4)), ((12, 8), (3, 8)), ((13, 9), (5, 4)), ((8, 6, 4), (4, 3, 1))]
)
def test_an_affine_grid_is_resized_exactly(fine: tuple[int, ...], coarse: tuple[int, ...]) -> None:
    torch.testing.assert_close(resize_grid(affine(*fine), coarse), affine(*coarse), atol=1e-5, rtol=0)


def test_a_grid_coarser_than_the_features_is_refused() -> None:
    with pytest.raises(ValueError, match="coarser than the features"):
        resize_grid(affine(8, 4), (8, 5))


@pytest.mark.parametrize("size", [(7, 6), (4, 5, 3)])
def test_sampled_locations_are_inside_valid_and_distinct(size: tuple[int, ...]) -> None:
    grid = affine(*size)
    valid = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(1)) > 0.4
    torch.manual_seed(0)
    indices, points, usable = sample_locations(grid, valid, 1000)
    expected = ((grid.abs() <= 1).all(dim=-1) & valid[:, 0]).flatten(1)
    assert indices.shape[1] == expected.shape[1]
    for b in range(2):
        assert torch.equal(indices[b].sort().values, torch.arange(expected.shape[1]))
        assert torch.equal(usable[b], expected[b][indices[b]])
        assert torch.equal(points[b], grid[b].flatten(0, -2)[indices[b]])
    assert 0 < usable.sum() < usable.numel()


def test_every_usable_location_is_sampled_and_comes_first() -> None:
    grid = affine(6, 6, batch=1)
    expected = (grid.abs() <= 1).all(dim=-1).flatten()
    torch.manual_seed(0)
    samples = [sample_locations(grid, None, 2) for _ in range(200)]
    assert all(usable.all() for *_, usable in samples)
    sampled = torch.cat([indices for indices, *_ in samples]).flatten().unique()
    assert torch.equal(sampled, expected.nonzero().flatten())


def test_a_finer_validity_is_read_by_nearest_neighbor() -> None:
    valid = torch.zeros(1, 1, 6, 6)
    valid[0, 0, 1, 4] = 1  # the middle of the voxel (0, 1) of a map of 2 x 2
    indices, _, usable = sample_locations(affine(2, 2, batch=1) * 0, valid, 4)
    assert indices[usable].tolist() == [1]


@pytest.mark.parametrize("size", [(5, 7), (4, 3, 5)])
def test_features_at_voxel_centers_and_between(size: tuple[int, ...]) -> None:
    features = torch.rand(2, 3, *size)
    centers = identity_grid(2, *size)
    sampled = sample_features(features, centers.flatten(1, -2))
    torch.testing.assert_close(sampled, features.flatten(2).transpose(1, 2))
    between = (centers.select(-2, 0) + centers.select(-2, 1)).flatten(1, -2) / 2  # half a voxel along the last axis
    expected = (features[..., 0] + features[..., 1]).flatten(2).transpose(1, 2) / 2
    torch.testing.assert_close(sample_features(features, between), expected)


def test_distance_is_in_voxels_of_every_axis() -> None:
    """In a map of 10 x 4, a voxel is 0.2 along the first axis and 0.5 along the last."""
    points = torch.tensor([[[0.0, 0.0], [0.0, 0.4], [0.4, 0.0]]])  # last axis first
    expected = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    assert torch.equal(far_apart(points, (10, 4), 1.5)[0], expected)
    assert not far_apart(points, (10, 4), 2.2).any()
    many = torch.rand(1, 200, 3) * 2 - 1
    assert torch.equal(far_apart(many, (9, 9, 9), 0)[0], ~torch.eye(200, dtype=torch.bool))
