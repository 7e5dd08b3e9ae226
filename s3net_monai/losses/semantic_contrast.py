"""Semantic-aware contrast with a queue of past embeddings of every object."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.supervised_contrast import SupervisedContrastiveLoss


class LabeledQueue(Protocol):
    """``networks.FeatureQueue`` with ``labeled=True``, or an object with the same methods."""

    @property
    def features(self) -> Tensor:
        """Stored features (M, D)."""
        ...

    @property
    def labels(self) -> Tensor:
        """Classes (M,) of the features."""
        ...

    def push(self, features: Tensor, labels: Tensor) -> None:
        """Store features (N, D) and their classes (N,)."""
        ...


class SemanticContrastiveLoss(_Loss):
    """``SupervisedContrastiveLoss`` of embeddings of objects, with a queue (arXiv 2106.01596).

    A sample is an image with the mask of one object, and the object is its class. Every batch is contrasted with the
    queue and then enters it, without a gradient. There is no momentum encoder: the queue holds embeddings of earlier
    states of the network, so a short one is better. The paper does not give its length, so it is our choice.

    Args:
        queue: past embeddings and their classes, updated in training mode only; None to contrast within the batch.
        temperature: see ``SupervisedContrastiveLoss``.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import FeatureQueue
        >>> loss = SemanticContrastiveLoss(FeatureQueue(size=32, channels=16, labeled=True))
        >>> loss(torch.randn(4, 16), torch.tensor([1, 2, 1, 2])).shape
        torch.Size([])
    """

    def __init__(self, queue: LabeledQueue | None = None, temperature: float = 0.1) -> None:
        super().__init__()
        self.queue = queue
        self.contrast = SupervisedContrastiveLoss(temperature)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: embeddings (N, D), as ``networks.ObjectProjection`` returns them.
            target: their classes (N,), as ``engines.SemanticViews`` returns them.
        """
        if self.queue is None:
            loss_of_batch: Tensor = self.contrast(input, target)
            return loss_of_batch
        loss: Tensor = self.contrast(
            input, target, queue=self.queue.features.to(input), queue_classes=self.queue.labels.to(target)
        )
        if self.training:
            self.queue.push(input.detach(), target)
        return loss
