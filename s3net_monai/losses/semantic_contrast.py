"""Semantic-aware contrast with a queue: past embeddings of every object join those of the batch."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.supervised_contrast import SupervisedContrastiveLoss


class LabeledQueue(Protocol):
    """``networks.FeatureQueue`` with ``labeled=True``, or what stands for it."""

    @property
    def features(self) -> Tensor: ...

    @property
    def labels(self) -> Tensor: ...

    def push(self, features: Tensor, labels: Tensor) -> None: ...


class SemanticContrastiveLoss(_Loss):
    """``SupervisedContrastiveLoss`` of (image, mask) embeddings by object, and a queue of past ones (2106.01596).

    Every batch is taught against the queue, then enters it, without gradient. There is no momentum encoder: the queue
    holds what younger states of the network said, so a short one is better. Its length is our choice, the paper's is
    unknown.

    Args:
        queue: past embeddings and their classes, updated in training mode alone; None for a batch on its own.
        temperature: see ``SupervisedContrastiveLoss``.
    """

    def __init__(self, queue: LabeledQueue | None = None, temperature: float = 0.1) -> None:
        super().__init__()
        self.queue = queue
        self.contrast = SupervisedContrastiveLoss(temperature)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Loss of embeddings (N, D) and their classes (N,), as ``ObjectProjection`` and ``SemanticViews`` give them."""
        if self.queue is None:
            alone: Tensor = self.contrast(input, target)
            return alone
        loss: Tensor = self.contrast(input, target, self.queue.features.to(input), self.queue.labels.to(target))
        if self.training:
            self.queue.push(input.detach(), target)
        return loss
