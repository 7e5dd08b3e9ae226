"""Spatial consistency: smooth cluster maps, by Sobel differences that have a gradient."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

_SMOOTHING_TAPS = (1.0, 2.0, 1.0)
_DERIVATIVE_TAPS = (-1.0, 0.0, 1.0)


def sobel(maps: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the Sobel response of maps.

    It is derived along ``axes`` and smoothed along the other spatial axes. The kernel is separable: [-1, 0, 1] along a
    derived axis, [1, 2, 1] along another. Edges are replicated.

    Args:
        maps: (B, C, X, Y[, Z]).
        axes: the spatial axes to derive along, counted from 0.

    Returns:
        (B, C, X, Y[, Z]).
    """
    dims = maps.dim() - 2
    pad = [1] * (2 * dims)
    flat = maps.flatten(0, 1).unsqueeze(1)
    out = F.pad(flat, pad, mode="replicate")
    for axis in range(dims):
        kernel = _DERIVATIVE_TAPS if axis in axes else _SMOOTHING_TAPS
        taps = torch.tensor(kernel, dtype=maps.dtype, device=maps.device)
        length = maps.shape[2 + axis]
        out = sum(tap * out.narrow(2 + axis, i, length) for i, tap in enumerate(taps))
    return out.squeeze(1).unflatten(0, maps.shape[:2])


class SpatialConsistencyLoss(_Loss):
    """Mean |Sy-Sx| + |Sxy-Sx| + |Sxy-Sy| of the softmax cluster maps.

    It is summed over the pairs of spatial axes. These are the paper's three Sobel differences (arXiv 2309.00143,
    section 2.3), of softmax maps instead of an argmax map in random colors, which has no gradient. In 3-D every pair of
    axes contributes the three terms, a form that the paper does not have.

    Example:
        >>> SpatialConsistencyLoss()(torch.zeros(1, 3, 8, 8)).item()  # a flat map costs nothing
        0.0
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return the loss of cluster logits (B, K, X, Y[, Z])."""
        maps = torch.softmax(input, dim=1)
        loss = maps.new_zeros(())
        for first, second in combinations(range(maps.dim() - 2), 2):
            along_first, along_second = sobel(maps, (first,)), sobel(maps, (second,))
            mixed = sobel(maps, (first, second))
            loss = loss + (along_second - along_first).abs().mean()
            loss = loss + (mixed - along_first).abs().mean() + (mixed - along_second).abs().mean()
        return loss
