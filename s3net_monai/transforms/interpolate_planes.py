"""Linear interpolation of a volume plane by plane: only a few planes are in memory as floating point at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional as F

from s3net_monai.utils.mapped_stack import drop_pages

_BLOCK = 8  # planes that are interpolated at a time


def interpolate_planes(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Interpolate linearly to another number of voxels, as ``torch.nn.functional.interpolate`` does in "trilinear".

    The two agree to rounding. This one needs memory for the result and a few planes only, takes integers, and reads
    planes in the order of memory, of a smaller result only those that count.

    Args:
        volume: (X, Y, Z) of any data type, contiguous along any axis.
        size: numbers of voxels (x, y, z) of the result.

    Returns:
        (x, y, z) float32, contiguous along the last axis.

    Example:
        >>> volume = torch.tensor([0, 2, 4, 6], dtype=torch.int16).expand(2, 2, 4)
        >>> interpolate_planes(volume, (1, 1, 2)).flatten().tolist()
        [1.0, 5.0]
    """
    result = torch.empty(tuple(size), dtype=torch.float32, device=volume.device)
    for target, planes in _blocks(volume, result):
        target.copy_(planes)
    return result


def interpolate_above(volume: torch.Tensor, size: Sequence[int], threshold: float) -> torch.Tensor:
    """Return where a volume reaches a threshold once it is interpolated linearly to another number of voxels.

    Args:
        volume: (X, Y, Z) float32.
        size: numbers of voxels (x, y, z) of the result.
        threshold: lowest value inside.

    Returns:
        (x, y, z) uint8, 1 inside and 0 outside; the last axis is slowest in memory, as slices are stored.

    Example:
        >>> interpolate_above(torch.tensor([[[0.0]], [[1.0]]]), (4, 1, 1), 0.5).flatten().tolist()
        [0, 0, 1, 1]
    """
    result = torch.zeros(tuple(size)[::-1], dtype=torch.uint8, device=volume.device).permute(2, 1, 0)
    for target, planes in _blocks(volume, result, threshold):
        torch.ge(planes, threshold, out=target)
    return result


def _blocks(
    volume: torch.Tensor, result: torch.Tensor, lowest: float | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield blocks of the result, as views, and the interpolated planes that belong there.

    Args:
        volume: (X, Y, Z).
        result: (x, y, z).
        lowest: planes whose values are all lower are left out.
    """
    source = volume if volume.numel() > result.numel() else result  # the larger is walked through as it is stored
    axes = sorted(range(3), key=source.stride, reverse=True)
    volume, result = volume.permute(axes), result.permute(axes)
    size = tuple(result.shape)
    first, second, weight = _neighbors(volume.shape[0], size[0], volume.device)
    for start in range(0, size[0], _BLOCK):
        block = slice(start, min(start + _BLOCK, size[0]))
        planes = volume[first[block]].float().lerp_(volume[second[block]].float(), weight[block, None, None])
        if volume.device.type == "cpu":
            drop_pages(volume.numpy())
        if lowest is not None and bool((planes < lowest).all()):
            continue
        if planes.shape[1:] != size[1:]:
            planes = F.interpolate(planes[:, None], size[1:], mode="bilinear")[:, 0]
        yield result[block], planes


def _neighbors(count: int, new_count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return for every new plane the two planes beside it, and the weight of the second."""
    position = (torch.arange(new_count, device=device, dtype=torch.float64) + 0.5) * (count / new_count) - 0.5
    position = position.clamp(0, count - 1)  # outside the outermost centers, the value at the edge
    first = position.long()
    return first, (first + 1).clamp_max(count - 1), (position - first).float()
