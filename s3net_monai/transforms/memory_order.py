"""Walks through an array in the order of its memory, where its axes have another order."""

from __future__ import annotations

import torch

from s3net_monai.utils.mapped_stack import drop_pages

_BLOCK = 32  # planes of the slowest axis
_SMALL_BLOCK = 2**20  # values; of small planes as many are looked at together


def in_memory_order(values: torch.Tensor) -> torch.Tensor:
    """Return a view of the same values whose last axis is the fastest in memory.

    Reductions of PyTorch walk through axes as they are numbered: over a volume (X, Y, Z) that is stored slice by slice
    they take fifty times as long.

    Example:
        >>> in_memory_order(torch.zeros(4, 3, 2).permute(2, 1, 0)).shape
        torch.Size([4, 3, 2])
    """
    return values.permute(sorted(range(values.ndim), key=values.stride, reverse=True))


def lowest_and_highest(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the greatest of values (C, X, Y[, Z]); of those in a file, memory holds a few planes.

    Example:
        >>> lowest_and_highest(torch.tensor([[[3, -1, 2]]]))
        (tensor(-1), tensor(3))
    """
    ends = []
    for channel in values:
        planes = in_memory_order(channel)
        for block in planes.split(max(_BLOCK, _SMALL_BLOCK // planes[0].numel())):
            ends.append(torch.stack(block.aminmax()))
            if block.device.type == "cpu":
                drop_pages(block.numpy())
    low, high = torch.stack(ends).unbind(1)
    return low.min(), high.max()
