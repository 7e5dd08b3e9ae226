"""Samples of a region map: first regions that two views share, then pixels of each; and which regions touch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_regions(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Region maps (B, 1, X, Y[, Z]) at another spatial size by nearest neighbor, int64, voxel centers kept in place.

    Numbers of regions up to 2**24 come through exactly.
    """
    if regions.shape[2:] == torch.Size(size):
        return regions.long()
    return F.interpolate(regions.float(), size=tuple(size), mode="nearest-exact").long()


def shared_regions(first: Tensor, second: Tensor, count: int) -> Tensor:
    """Up to ``count`` regions drawn at random, each alike, from those that both maps show; sorted, (R,) int64.

    Args:
        first: region map of one view, int64, any shape; 0 is no region.
        second: region map of the other view.
        count: most regions to draw.
    """
    found = first.unique()
    found = found[(found > 0) & torch.isin(found, second)]
    chosen = torch.randperm(len(found), device=found.device)[:count]
    return found[chosen].sort().values


def sample_pixels(regions: Tensor, ids: Tensor, count: int) -> Tensor:
    """``count`` random pixels of every region, with replacement, as places in the flattened map, (R, count) int64.

    Args:
        regions: region map, int64, any shape.
        ids: regions (R,), each present in the map.
        count: pixels a region; a region may be smaller, hence the replacement.
    """
    values, order = regions.flatten().sort()
    begin, end = torch.searchsorted(values, ids), torch.searchsorted(values, ids, right=True)
    size = (end - begin)[:, None]
    picked = (torch.rand(len(ids), count, device=ids.device) * size).long()
    return order[begin[:, None] + torch.minimum(picked, size - 1)]  # rounding may reach the size


def touching(regions: Tensor, ids: Tensor) -> Tensor:
    """Which regions share a face of a voxel, (R, R) boolean, symmetric, false on the diagonal.

    Args:
        regions: region map (X, Y[, Z]), int64.
        ids: regions (R,), sorted; others are not looked at.
    """
    touch = torch.zeros(len(ids), len(ids), dtype=torch.bool, device=ids.device)
    if len(ids) == 0:
        return touch
    place = torch.searchsorted(ids, regions).clamp_max(len(ids) - 1)
    known = ids[place] == regions
    for axis in range(regions.dim()):
        length = regions.shape[axis] - 1
        low, high = place.narrow(axis, 0, length), place.narrow(axis, 1, length)
        border = known.narrow(axis, 0, length) & known.narrow(axis, 1, length) & (low != high)
        touch[low[border], high[border]] = True
    return touch | touch.T
