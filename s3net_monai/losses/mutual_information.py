"""Agreement of two views and use of all clusters in a single term."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.affine_consistency import in_bounds_mask, warp


class MutualInformationLoss(_Loss):
    """Negative mutual information of the clusters of Tx and the warped clusters of x.

    It is measured in nats. The joint distribution is that of the whole batch. The loss is lowest, ``-log K``, when the
    views agree and all K clusters are equally frequent, and 0 for one cluster everywhere (invariant information
    clustering, Ji et al., arXiv 1807.06653, equation 3, with the transformation undone as there in section 3.3).

    Example:
        >>> grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, 8, 8], align_corners=False)
        >>> logits = torch.randn(1, 4, 8, 8)
        >>> MutualInformationLoss()(logits, logits, grid).item() < 0
        True
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, transformed: Tensor, grid: Tensor) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: cluster logits f(x), (B, K, X, Y[, Z]).
            transformed: cluster logits f(Tx), (B, K, X, Y[, Z]).
            grid: normalized sampling grid of T, (B, X, Y[, Z], D).
        """
        warped = (warp(torch.softmax(input, dim=1), grid) * in_bounds_mask(grid)).transpose(0, 1).flatten(1)
        joint = warped @ torch.softmax(transformed, dim=1).transpose(0, 1).flatten(1).T
        joint = ((joint + joint.T) / (2 * joint.sum().clamp_min(1e-12))).clamp_min(1e-12)
        independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
        return -(joint * (joint.log() - independent.log())).sum()
