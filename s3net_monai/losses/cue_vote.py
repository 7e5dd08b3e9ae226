"""Self-training on the vote of simple cues, weighted by how far they agree."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss


class CueVoteLoss(_Loss):
    """Cross-entropy of the foreground probability against a vote in [0, 1], weighted by ``|2 vote - 1|``.

    Where all cues agree a voxel counts fully, where they are split it counts nothing and the other terms decide.
    The vote comes from the image alone (``s3net_monai.transforms``); no mask is involved.
    """

    def forward(self, input: Tensor, vote: Tensor, weight: Tensor | None = None) -> Tensor:
        """Loss of one batch.

        Args:
            input: foreground probability (B, 1, X, Y[, Z]).
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
        p = input.clamp(1e-6, 1 - 1e-6)
        target = (vote > 0.5).to(input.dtype)
        loss = -(target * torch.log(p) + (1 - target) * torch.log1p(-p))
        return (loss * trust).sum() / trust.sum().clamp_min(1)
