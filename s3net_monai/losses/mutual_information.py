"""Agreement of two views and use of all clusters in one term."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.affine_consistency import in_bounds_mask, warp


class MutualInformationLoss(_Loss):
    """Minus the mutual information, in nats, of the clusters of Tx and the moved clusters of x, over a batch.

    It is lowest, ``-log K``, when the views agree and all K clusters share equally, and 0 for one cluster everywhere
    (invariant information clustering, Ji et al., arXiv 1807.06653, equation 3, with the transformation undone as there
    in section 3.3).
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, transformed: Tensor, grid: Tensor) -> Tensor:
        """Loss of one batch.

        Args:
            input: cluster logits f(x), (B, K, X, Y[, Z]).
            transformed: cluster logits f(Tx), (B, K, X, Y[, Z]).
            grid: normalized sampling grid of T, (B, X, Y[, Z], D).
        """
        moved = (warp(torch.softmax(input, dim=1), grid) * in_bounds_mask(grid)).transpose(0, 1).flatten(1)
        joint = moved @ torch.softmax(transformed, dim=1).transpose(0, 1).flatten(1).T
        joint = ((joint + joint.T) / (2 * joint.sum().clamp_min(1e-12))).clamp_min(1e-12)
        independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
        return -(joint * (joint.log() - independent.log())).sum()
