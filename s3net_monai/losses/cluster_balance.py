"""A guard against collapse: over a batch, all clusters are used."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss


class ClusterBalanceLoss(_Loss):
    """``log K`` less the entropy of the mean cluster distribution of the batch: 0 when all K clusters share equally.

    Together with ``AffineConsistencyLoss`` it bounds the mutual information of the two views from below, so that
    one cluster for everything is the worst answer and not the best.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Loss of cluster logits (B, K, X, Y[, Z])."""
        share = torch.softmax(input, dim=1).transpose(0, 1).flatten(1).mean(dim=1)
        share = share.clamp_min(1e-12)  # the gradient of the entropy at a share of 0 is not a number
        return math.log(input.shape[1]) + torch.xlogy(share, share).sum()
