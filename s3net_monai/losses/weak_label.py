"""Self-training on the vote of simple cues, weighted by how far they agree."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class WeakLabelLoss(_Loss):
    """Cross-entropy of the foreground logit against a vote in [0, 1], weighted by ``|2 vote - 1|``.

    Where all cues agree a voxel counts fully, where they are split it counts nothing and the other terms decide.
    The vote comes from the image alone (``s3net_monai.transforms``); no mask is involved.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, vote: Tensor, weight: Tensor | None = None) -> Tensor:
        """Loss of one batch.

        Args:
            input: foreground logit (B, 1, X, Y[, Z]).
            vote: share of the cues that say foreground, same shape.
            weight: further weight of every voxel (0 outside a transformed image), same shape.

        Raises:
            ValueError: when the shapes differ.
        """
        if input.shape != vote.shape:
            raise ValueError(f"foreground {tuple(input.shape)} and vote {tuple(vote.shape)} differ in shape")
        trust = (2 * vote - 1).abs()
        if weight is not None:
            if weight.shape != vote.shape:
                raise ValueError(f"weight {tuple(weight.shape)} and vote {tuple(vote.shape)} differ in shape")
            trust = trust * weight
        loss = F.binary_cross_entropy_with_logits(input, (vote > 0.5).to(input.dtype), reduction="none")
        return (loss * trust).sum() / trust.sum().clamp_min(1)
