"""The parts of the nnU-Net-like row that MONAI's DynUNet lacks: its encoder, and a loss over its stacked heads."""

from __future__ import annotations

from collections.abc import Sequence

from monai.losses import DeepSupervisionLoss
from monai.networks.nets import DynUNet
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss


def dyn_unet_encoder(network: DynUNet) -> nn.ModuleList:
    """Return the blocks of a DynUNet down to its bottleneck."""
    return nn.ModuleList([network.input_block, network.downsamples, network.bottleneck])


class StackedHeadsLoss(nn.Module):
    """``DeepSupervisionLoss`` of heads that are stacked along the second axis, as a DynUNet in training gives them.

    Args:
        loss: of one head.
        weights: one per head, the finest first.
    """

    def __init__(self, loss: _Loss, weights: Sequence[float]) -> None:
        super().__init__()
        self.loss = DeepSupervisionLoss(loss, weights=list(weights))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the weighted sum over the heads.

        Args:
            input: logits (B, heads, classes, X, Y[, Z]), the finest head first.
            target: labels (B, 1, X, Y[, Z]).
        """
        loss: Tensor = self.loss(list(input.unbind(dim=1)), target)
        return loss
