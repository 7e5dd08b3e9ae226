"""Affine consistency as equivariance: f(Tx) against T f(x)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


def warp(maps: Tensor, grid: Tensor) -> Tensor:
    """Resample maps at the points of a grid.

    Args:
        maps: (B, C, X, Y[, Z]).
        grid: normalized sampling grid (B, X', Y'[, Z'], D), as ``affine_grid`` makes it.

    Returns:
        (B, C, X', Y'[, Z']). Points beyond the last voxel center get the value at the edge.
    """
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def in_bounds_mask(grid: Tensor) -> Tensor:
    """Return where a grid points into the image.

    Args:
        grid: normalized sampling grid (B, X, Y[, Z], D).

    Returns:
        1 inside and 0 outside, (B, 1, X, Y[, Z]).
    """
    return (grid.abs() <= 1).all(dim=-1).unsqueeze(1).to(grid.dtype)


class AffineConsistencyLoss(_Loss):
    """Mean of ``-log <f(Tx), T f(x)>`` over the voxels that the transformed image covers.

    The inner product of two distributions is 1 only when both put all probability on the same cluster, so the loss
    rewards agreement and confidence, and its gradient reaches both sides. The code of arXiv 2309.00143 rotates both
    heads by the same permutation and never the input, which does not demand equivariance; here the input is
    transformed.

    Example:
        >>> grid = F.affine_grid(torch.eye(2, 3)[None], [1, 1, 8, 8], align_corners=False)
        >>> logits = torch.randn(1, 4, 8, 8)
        >>> AffineConsistencyLoss()(logits, logits, grid).shape
        torch.Size([])
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, transformed: Tensor, grid: Tensor) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: cluster logits f(x), (B, K, X, Y[, Z]).
            transformed: cluster logits f(Tx), (B, K, X, Y[, Z]).
            grid: normalized sampling grid of T, (B, X, Y[, Z], D).

        Raises:
            ValueError: when the shapes do not match.
        """
        if input.shape != transformed.shape or grid.shape[:-1] != (input.shape[0], *input.shape[2:]):
            raise ValueError(
                f"logits {tuple(input.shape)}, transformed logits {tuple(transformed.shape)} and grid "
                f"{tuple(grid.shape)} do not match"
            )
        expected = warp(torch.softmax(input, dim=1), grid).clamp_min(1e-12)
        # computed in logarithms, so that a confident contradiction still has a gradient
        loss = -torch.logsumexp(expected.log() + torch.log_softmax(transformed, dim=1), dim=1, keepdim=True)
        valid = in_bounds_mask(grid)
        return (loss * valid).sum() / valid.sum().clamp_min(1)
