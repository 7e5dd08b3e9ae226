"""Supervised contrast: samples of one class attract, those of other classes repel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class SupervisedContrastiveLoss(_Loss):
    """Contrast of samples by class (Khosla et al., arXiv 2004.11362, L_out).

    It is the mean over the anchors i of::

        -1/|P(i)| sum_{p in P(i)} log( exp(s_ip / t) / sum_{a != i} exp(s_ia / t) )

    where ``s`` is the cosine similarity, P(i) are the other samples of the class of i, and a runs over all other
    samples. Semantic-aware contrast (arXiv 2106.01596) uses the same loss: there a sample is an image with the mask of
    one organ, and the organ is its class. The papers sum over the anchors; the mean keeps the value independent of the
    batch size. Features without any information cost ``log(number of other samples)``.

    A queue of past features adds positives and negatives to every anchor; its entries are no anchors and get no
    gradient. Anchors without a positive are left out; if all are, the loss is 0.

    Args:
        temperature: t above. The paper on semantic-aware contrast does not give it; later work of its authors uses
            0.07 to 0.3.

    Raises:
        ValueError: when the temperature is not positive, and, in ``forward``, when shapes do not match.

    Example:
        >>> SupervisedContrastiveLoss()(torch.randn(4, 16), torch.tensor([0, 1, 0, 1])).shape
        torch.Size([])
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected a positive number")
        self.temperature = temperature

    def forward(
        self, input: Tensor, target: Tensor, *, queue: Tensor | None = None, queue_classes: Tensor | None = None
    ) -> Tensor:
        """Return the loss of one batch, computed in float32.

        Args:
            input: features (N, D) of any length; only their direction matters.
            target: their classes, integer, (N,).
            queue: features (M, D) of past batches.
            queue_classes: their classes (M,).
        """
        _check(input, target, name="features", class_name="classes")
        if (queue is None) != (queue_classes is None):
            raise ValueError("a queue needs both its features and their classes; give both or neither")
        anchors = F.normalize(input.float(), dim=1)
        samples, classes = anchors, target
        if queue is not None and queue_classes is not None:
            _check(queue, queue_classes, name="queue", class_name="queue classes")
            samples = torch.cat([anchors, F.normalize(queue.detach().float(), dim=1)])
            classes = torch.cat([target, queue_classes])
        number = torch.arange(len(samples), device=input.device)
        same_sample = number[: len(anchors), None] == number
        positive = (target[:, None] == classes) & ~same_sample
        has_positive = positive.any(dim=1)
        if not has_positive.any():
            return anchors[:0].sum()  # 0, with a graph
        positive, same_sample = positive[has_positive], same_sample[has_positive]
        with torch.autocast(input.device.type, enabled=False):
            similarity = anchors[has_positive] @ samples.T / self.temperature
        log_softmax = similarity - similarity.masked_fill(same_sample, -torch.inf).logsumexp(dim=1, keepdim=True)
        return -((log_softmax * positive).sum(dim=1) / positive.sum(dim=1)).mean()


def _check(features: Tensor, classes: Tensor, *, name: str, class_name: str) -> None:
    if features.dim() != 2 or classes.shape != features.shape[:1]:
        raise ValueError(
            f"{name} {tuple(features.shape)} and {class_name} {tuple(classes.shape)} do not match; "
            "expected (N, D) and (N,)"
        )
