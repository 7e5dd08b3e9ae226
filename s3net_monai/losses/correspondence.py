"""Sampled locations of one view and the points in another view that correspond to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_grid(grid: Tensor, size: Sequence[int]) -> Tensor:
    """Return a sampling grid at a coarser spatial size; exact when the grid is affine.

    Args:
        grid: normalized sampling grid (B, X, Y[, Z], D).
        size: the spatial size to return.

    Raises:
        ValueError: when the grid is coarser than the size along an axis.
    """
    grid_size = grid.shape[1:-1]
    if grid_size == torch.Size(size):
        return grid
    if any(length < new_length for length, new_length in zip(grid_size, size, strict=True)):
        raise ValueError(
            f"grid {tuple(grid_size)} is coarser than the features {tuple(size)}; pass the grid of the images"
        )
    mode = {2: "bilinear", 3: "trilinear"}[len(grid_size)]
    return F.interpolate(grid.movedim(-1, 1), size=tuple(size), mode=mode, align_corners=False).movedim(1, -1)


def sample_locations(grid: Tensor, valid: Tensor | None, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sample locations of a view, without replacement, whose points lie inside the other view.

    Args:
        grid: normalized sampling grid of the view in coordinates of the other, (B, X, Y[, Z], D).
        valid: where the view may be sampled at all, (B, 1, any spatial size), read by nearest neighbor; None means
            everywhere.
        count: locations per image, N; reduced to the number of voxels.

    Returns:
        Indices into the flattened view, (B, N) int64; the corresponding normalized points in the other view,
        (B, N, D); and which of them may be used, (B, N) boolean, because an image may have fewer than N.
    """
    usable = (grid.abs() <= 1).all(dim=-1)
    if valid is not None:
        usable &= F.interpolate(valid.float(), size=usable.shape[1:], mode="nearest-exact").squeeze(1) > 0
    usable = usable.flatten(1)
    priority = torch.rand(usable.shape, device=usable.device).masked_fill(~usable, -1)
    indices = priority.topk(min(count, usable.shape[1]), dim=1).indices
    points = grid.flatten(1, -2).gather(1, indices[..., None].expand(-1, -1, grid.shape[-1]))
    return indices, points, usable.gather(1, indices)


def sample_features(features: Tensor, points: Tensor) -> Tensor:
    """Return features at points by linear interpolation.

    Args:
        features: (B, C, X, Y[, Z]).
        points: normalized, (B, N, D).

    Returns:
        (B, N, C).
    """
    dims = points.shape[-1]
    grid = points.reshape(*points.shape[:2], *[1] * (dims - 1), dims)
    sampled = F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.flatten(2).transpose(1, 2)


def far_apart(points: Tensor, size: Sequence[int], radius: float) -> Tensor:
    """Return which pairs of points are more than ``radius`` voxels apart.

    Args:
        points: normalized, (B, N, D).
        size: spatial size of the map that voxels refer to.
        radius: in voxels.

    Returns:
        Boolean, (B, N, N).
    """
    voxels = points * points.new_tensor(list(size)[::-1]) / 2  # a grid has the last axis first
    # the faster computation by a matrix product has an error larger than a small radius
    return torch.cdist(voxels, voxels, compute_mode="donot_use_mm_for_euclid_dist") > radius
