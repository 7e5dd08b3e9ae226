"""Supervised loss of two heads that predict the same classes."""

from __future__ import annotations

from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn.modules.loss import _Loss


class MeanHeadDiceCELoss(_Loss):
    """Mean of MONAI's ``DiceCELoss`` of both heads.

    Dice is computed per image and without the background. The mean Dice of an evaluation weighs a missed small
    structure as much as a missed large one. A Dice over the whole batch, as in ``BidirectionalLoss``, does not.

    Example:
        >>> import torch
        >>> logits = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
        >>> MeanHeadDiceCELoss()(logits, torch.zeros(2, 1, 8, 8)).shape
        torch.Size([])
    """

    def __init__(self) -> None:
        super().__init__()
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)

    def forward(self, input: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """Return the loss of one batch, computed in float32.

        Args:
            input: logits (B, K, X, Y[, Z]) of both heads.
            target: classes (B, 1, X, Y[, Z]).
        """
        first, second = (self.loss(logits.float(), target) for logits in input)
        mean: Tensor = (first + second) / 2
        return mean
