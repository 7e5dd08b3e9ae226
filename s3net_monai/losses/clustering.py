"""Losses on the clusters of single views: confident voxels, and balanced clusters."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class SelfClusteringLoss(_Loss):
    """Cross-entropy of cluster logits against their own argmax, arXiv 2309.00143, section 2.3.

    It moves every voxel towards the cluster that it already prefers. On its own it is minimal for a single cluster
    everywhere; use it together with ``ClusterBalanceLoss``.

    Args:
        reduction: "mean", "sum" or "none".

    Example:
        >>> logits = torch.tensor([3.0, 1.0]).log().reshape(1, 2, 1, 1)  # probabilities 0.75 and 0.25
        >>> round(SelfClusteringLoss()(logits).item(), 4) == round(-math.log(0.75), 4)
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the loss of cluster logits (B, K, X, Y[, Z])."""
        return F.cross_entropy(input, input.argmax(dim=1), reduction=self.reduction)


class ClusterBalanceLoss(_Loss):
    """``log K`` minus the entropy of the mean cluster distribution of the batch.

    It is 0 when all K clusters are equally frequent. Together with ``AffineConsistencyLoss`` it bounds the mutual
    information of the two views from below, so that one cluster for everything is the worst solution instead of the
    best.

    Example:
        >>> ClusterBalanceLoss()(torch.zeros(2, 4, 8, 8)).abs().item() < 1e-6
        True
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return the loss of cluster logits (B, K, X, Y[, Z])."""
        frequency = torch.softmax(input, dim=1).transpose(0, 1).flatten(1).mean(dim=1)
        frequency = frequency.clamp_min(1e-12)  # the gradient of the entropy at a frequency of 0 is not a number
        return math.log(input.shape[1]) + torch.xlogy(frequency, frequency).sum()
