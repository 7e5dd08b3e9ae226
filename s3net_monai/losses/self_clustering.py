"""Self-clustering: every voxel moves towards the cluster it already prefers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class SelfClusteringLoss(_Loss):
    """Cross-entropy of cluster logits against their own argmax, arXiv 2309.00143, section 2.3.

    Alone it is content with one cluster for everything; use it beside ``ClusterBalanceLoss``.

    Args:
        reduction: "mean", "sum" or "none".
    """

    def forward(self, input: Tensor) -> Tensor:
        """Loss of cluster logits (B, K, X, Y[, Z])."""
        return F.cross_entropy(input, input.argmax(dim=1), reduction=self.reduction)
