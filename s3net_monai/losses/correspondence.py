"""Sampled locations of one view and their points in another, by the grid between the views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_grid(grid: Tensor, size: Sequence[int]) -> Tensor:
    """Normalized sampling grid (B, X, Y[, Z], D) at a coarser spatial size; exact when the grid is affine.

    Raises:
        ValueError: when the grid is coarser than the size along an axis.
    """
    fine = grid.shape[1:-1]
    if fine == torch.Size(size):
        return grid
    if any(have < want for have, want in zip(fine, size, strict=True)):
        raise ValueError(f"grid {tuple(fine)} is coarser than the features {tuple(size)}; give the grid of the images")
    mode = {2: "bilinear", 3: "trilinear"}[len(fine)]
    return F.interpolate(grid.movedim(-1, 1), size=tuple(size), mode=mode, align_corners=False).movedim(1, -1)


def sample_locations(grid: Tensor, valid: Tensor | None, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random locations of a view, without replacement, whose points lie inside the other view.

    Args:
        grid: normalized sampling grid of the view in coordinates of the other, (B, X, Y[, Z], D).
        valid: where the view may be sampled at all, (B, 1, any spatial size), by nearest neighbor; None: everywhere.
        count: locations an image, N; lowered to the number of voxels.

    Returns:
        Places in the flattened view (B, N) int64, their normalized points in the other view (B, N, D), and which of
        them may be used, (B, N) boolean, for an image may have fewer than N.
    """
    usable = (grid.abs() <= 1).all(dim=-1)
    if valid is not None:
        usable &= F.interpolate(valid.float(), size=usable.shape[1:], mode="nearest-exact").squeeze(1) > 0
    usable = usable.flatten(1)
    chance = torch.rand(usable.shape, device=usable.device).masked_fill(~usable, -1)
    place = chance.topk(min(count, usable.shape[1]), dim=1).indices
    points = grid.flatten(1, -2).gather(1, place[..., None].expand(-1, -1, grid.shape[-1]))
    return place, points, usable.gather(1, place)


def features_at(features: Tensor, points: Tensor) -> Tensor:
    """Features (B, C, X, Y[, Z]) at normalized points (B, N, D), interpolated linearly, (B, N, C)."""
    dims = points.shape[-1]
    where = points.reshape(*points.shape[:2], *[1] * (dims - 1), dims)
    read = F.grid_sample(features, where, mode="bilinear", padding_mode="border", align_corners=False)
    return read.flatten(2).transpose(1, 2)


def far_apart(points: Tensor, size: Sequence[int], radius: float) -> Tensor:
    """Which normalized points (B, N, D) lie more than ``radius`` voxels apart in maps of that size, (B, N, N)."""
    voxels = points * points.new_tensor(list(size)[::-1]) / 2  # a grid names the last axis first
    # the faster way through a matrix product is off by more than a small radius
    return torch.cdist(voxels, voxels, compute_mode="donot_use_mm_for_euclid_dist") > radius
