"""Affine consistency as equivariance: f(Tx) against T f(x)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


def warp(maps: Tensor, grid: Tensor) -> Tensor:
    """Resample (B, C, X, Y[, Z]) at a normalized ``grid`` (B, X', Y'[, Z'], D), as ``affine_grid`` makes it.

    Points beyond the last voxel center take the value at the edge.
    """
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def in_bounds_mask(grid: Tensor) -> Tensor:
    """1 where a normalized ``grid`` (B, X, Y[, Z], D) points into the image, else 0; shape (B, 1, X, Y[, Z])."""
    return (grid.abs() <= 1).all(dim=-1).unsqueeze(1).to(grid.dtype)


class AffineConsistencyLoss(_Loss):
    """Mean of ``-log <f(Tx), T f(x)>`` over the voxels that the transformed image still covers.

    The inner product of two distributions is 1 only when both put everything on the same cluster, so the loss asks for
    agreement and for confidence, and teaches both sides. The code of arXiv 2309.00143 rotates both heads by the same
    permutation and never the input, which demands no equivariance; here the input is transformed.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, transformed: Tensor, grid: Tensor) -> Tensor:
        """Loss of one batch.

        Args:
            input: cluster logits f(x), (B, K, X, Y[, Z]).
            transformed: cluster logits f(Tx), (B, K, X, Y[, Z]).
            grid: normalized sampling grid of T, (B, X, Y[, Z], D).

        Raises:
            ValueError: when the shapes do not belong together.
        """
        if input.shape != transformed.shape or grid.shape[:-1] != (input.shape[0], *input.shape[2:]):
            raise ValueError(
                f"logits {tuple(input.shape)}, transformed logits {tuple(transformed.shape)} and grid "
                f"{tuple(grid.shape)} do not belong together"
            )
        expected = warp(torch.softmax(input, dim=1), grid).clamp_min(1e-12)
        # in logarithms: a confident contradiction must still be taught
        loss = -torch.logsumexp(expected.log() + torch.log_softmax(transformed, dim=1), dim=1, keepdim=True)
        valid = in_bounds_mask(grid)
        return (loss * valid).sum() / valid.sum().clamp_min(1)
