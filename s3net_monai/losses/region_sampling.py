"""Samples from region maps: shared regions, their pixels, and which regions touch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_regions(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Resize region maps by nearest neighbor, without moving voxel centers.

    Args:
        regions: (B, 1, X, Y[, Z]); region numbers up to 2**24 are preserved exactly.
        size: the new spatial size.

    Returns:
        (B, 1, *size), int64.
    """
    if regions.shape[2:] == torch.Size(size):
        return regions.long()
    return F.interpolate(regions.float(), size=tuple(size), mode="nearest-exact").long()


def sample_shared_regions(first: Tensor, second: Tensor, count: int) -> Tensor:
    """Sample regions uniformly from those that both maps show.

    Args:
        first: region map of one view, int64, any shape; 0 is no region.
        second: region map of the other view.
        count: maximum number of regions.

    Returns:
        Region numbers in ascending order, (R,) int64 with R up to ``count``.
    """
    candidates = first.unique()
    candidates = candidates[(candidates > 0) & torch.isin(candidates, second)]
    indices = torch.randperm(len(candidates), device=candidates.device)[:count]
    return candidates[indices].sort().values


def sample_pixels(regions: Tensor, ids: Tensor, count: int) -> Tensor:
    """Sample pixels of every region, with replacement.

    Args:
        regions: region map, int64, any shape.
        ids: regions (R,), each present in the map.
        count: pixels per region; a region may be smaller, hence the replacement.

    Returns:
        Indices into the flattened map, (R, count) int64.
    """
    values, order = regions.flatten().sort()
    begin, end = torch.searchsorted(values, ids), torch.searchsorted(values, ids, right=True)
    size = (end - begin)[:, None]
    offset = (torch.rand(len(ids), count, device=ids.device) * size).long()
    return order[begin[:, None] + torch.minimum(offset, size - 1)]  # rounding may give an offset of size


def touching(regions: Tensor, ids: Tensor) -> Tensor:
    """Return which regions share a voxel face.

    Args:
        regions: region map (X, Y[, Z]), int64.
        ids: regions (R,), in ascending order; all others are ignored.

    Returns:
        (R, R) boolean, symmetric, false on the diagonal.
    """
    touch = torch.zeros(len(ids), len(ids), dtype=torch.bool, device=ids.device)
    if len(ids) == 0:
        return touch
    index = torch.searchsorted(ids, regions).clamp_max(len(ids) - 1)
    listed = ids[index] == regions
    for axis in range(regions.dim()):
        length = regions.shape[axis] - 1
        low, high = index.narrow(axis, 0, length), index.narrow(axis, 1, length)
        border = listed.narrow(axis, 0, length) & listed.narrow(axis, 1, length) & (low != high)
        touch[low[border], high[border]] = True
    return touch | touch.T
