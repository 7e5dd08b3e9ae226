"""Training on weak labels, weighted by the agreement of their labeling functions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class WeakLabelLoss(_Loss):
    """Cross-entropy of a foreground logit against a weak label.

    The weak label w is in [0, 1], and every voxel is weighted by ``|2 w - 1|``. Where all labeling functions agree, a
    voxel has full weight; where their votes are split evenly, it has none and the other terms decide. The weak label
    comes from the image alone (``transforms.WeakLabeld``); no mask is involved.

    Example:
        >>> import torch
        >>> logit, weak_label = torch.zeros(1, 1, 1, 2), torch.tensor([1.0, 0.5]).reshape(1, 1, 1, 2)
        >>> round(WeakLabelLoss()(logit, weak_label).item(), 4)  # log 2 at the first voxel, the second has no weight
        0.6931
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, weak_label: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: foreground logit (B, 1, X, Y[, Z]).
            weak_label: fraction of the labeling functions that vote for the foreground, same shape.
            weight: further weight of every voxel (0 outside a transformed image), same shape.

        Raises:
            ValueError: when the shapes differ.
        """
        if input.shape != weak_label.shape:
            raise ValueError(
                f"foreground {tuple(input.shape)} and weak label {tuple(weak_label.shape)} differ in shape"
            )
        agreement = (2 * weak_label - 1).abs()
        if weight is not None:
            if weight.shape != weak_label.shape:
                raise ValueError(
                    f"weight {tuple(weight.shape)} and weak label {tuple(weak_label.shape)} differ in shape"
                )
            agreement = agreement * weight
        loss = F.binary_cross_entropy_with_logits(input, (weak_label > 0.5).to(input.dtype), reduction="none")
        return (loss * agreement).sum() / agreement.sum().clamp_min(1)
