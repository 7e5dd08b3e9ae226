"""Supervised contrast: samples of one class attract, those of other classes repel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class SupervisedContrastiveLoss(_Loss):
    """Mean over the anchors i of ``-1/|P(i)| sum_{p in P(i)} log( exp(s_ip / t) / sum_{a != i} exp(s_ia / t) )``.

    ``s`` is the cosine similarity, P(i) are the other samples of the class of i, and a runs over all other samples
    (Khosla et al., arXiv 2004.11362, L_out; the loss of semantic-aware contrast, arXiv 2106.01596, where a sample is an
    image with the mask of one organ and the organ is its class). The papers sum over the anchors; the mean keeps the
    value independent of the batch size. Features without any information cost ``log(number of other samples)``.

    A queue of past features adds positives and negatives to every anchor; its entries are no anchors and are not
    taught. Anchors without a positive are left out; when none is left the loss is 0.

    Args:
        temperature: t above. The paper's is unknown; its authors' next work names 0.07 to 0.3.

    Raises:
        ValueError: when the temperature is not positive, and, in ``forward``, when shapes do not belong together.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected a positive number")
        self.temperature = temperature

    def forward(
        self, input: Tensor, target: Tensor, queue: Tensor | None = None, queue_classes: Tensor | None = None
    ) -> Tensor:
        """Loss of one batch, computed in float32.

        Args:
            input: features (N, D) of any length; their direction counts.
            target: their classes, integer, (N,).
            queue: features (M, D) of past batches.
            queue_classes: their classes (M,).
        """
        _check(input, target, "features", "classes")
        if (queue is None) != (queue_classes is None):
            raise ValueError("a queue needs both its features and their classes; give both or neither")
        anchors = F.normalize(input.float(), dim=1)
        others, classes = anchors, target
        if queue is not None and queue_classes is not None:
            _check(queue, queue_classes, "queue", "queue classes")
            others = torch.cat([anchors, F.normalize(queue.detach().float(), dim=1)])
            classes = torch.cat([target, queue_classes])
        number = torch.arange(len(others), device=input.device)
        itself = number[: len(anchors), None] == number
        positive = (target[:, None] == classes) & ~itself
        taught = positive.any(dim=1)
        if not taught.any():
            return anchors[:0].sum()  # 0, with a graph
        positive, itself = positive[taught], itself[taught]
        with torch.autocast(input.device.type, enabled=False):
            similarity = anchors[taught] @ others.T / self.temperature
        log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
        return -((log_share * positive).sum(dim=1) / positive.sum(dim=1)).mean()


def _check(features: Tensor, classes: Tensor, name: str, class_name: str) -> None:
    if features.dim() != 2 or classes.shape != features.shape[:1]:
        raise ValueError(
            f"{name} {tuple(features.shape)} and {class_name} {tuple(classes.shape)} do not belong together; "
            "expected (N, D) and (N,)"
        )
