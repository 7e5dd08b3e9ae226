"""Dice and cross-entropy of two heads that say the same of an image in two ways."""

from __future__ import annotations

from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn.modules.loss import _Loss


class MeanHeadDiceCELoss(_Loss):
    """MONAI's ``DiceCELoss`` of both heads, halved, image by image and without a Dice of the background.

    The mean Dice of a test counts a small structure that was missed as much as a large one. A Dice over the batch as a
    whole, as ``BidirectionalLoss`` has it, does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)

    def forward(self, input: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """Loss of logits (B, K, X, Y[, Z]) of both heads against classes (B, 1, X, Y[, Z]), in float32."""
        first, second = (self.loss(logits.float(), target) for logits in input)
        mean: Tensor = (first + second) / 2
        return mean
