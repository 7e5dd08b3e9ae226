"""Contrast between a network and its slowly moving copy: what ``MomentumEncoder`` answers, taught by the losses here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.dense_contrast import DenseContrastiveLoss
from s3net_monai.losses.region_contrast import RegionContrastiveLoss
from s3net_monai.losses.supervised_contrast import SupervisedContrastiveLoss

Answer = Mapping[str, Any]
_PAST = -1  # class of what is in the queue: of no image of this batch


class Queue(Protocol):
    """``networks.FeatureQueue``, or what stands for it."""

    @property
    def features(self) -> Tensor: ...

    def push(self, features: Tensor) -> None: ...


class GlobalMomentumContrast(_Loss):
    """One embedding an image: its two views attract each other and repel other images and a queue (MoCo, 1911.05722).

    The InfoNCE of MoCo with the batch's other images as further negatives, which small batches need: supervised
    contrast whose classes are the images. MONAI's ``ContrastiveLoss`` takes no queue, and a batch of eight slices holds
    few negatives.

    Args:
        queue: keeps the keys of past batches. It is updated in training mode alone.
        temperature: of the cosine similarities.
    """

    def __init__(self, queue: Queue, temperature: float = 0.1) -> None:
        super().__init__()
        self.queue = queue
        self.contrast = SupervisedContrastiveLoss(temperature)

    def forward(self, input: Answer, target: Mapping[str, Any]) -> Tensor:
        """Loss of {"query": (B, D), "key": (B, D)}, each there or under "global" of a dict; the target is not used."""
        query, key = _both(input, "global")
        past = self.queue.features.to(key)
        images = torch.arange(len(query), device=query.device)
        others = torch.cat([images, images.new_full((len(past),), _PAST)])
        loss = self.contrast(query, images, torch.cat([key, past]), others)
        if self.training:
            self.queue.push(key)
        return loss


class RegionMomentumContrast(_Loss):
    """``RegionContrastiveLoss`` between the dense embeddings of both views; LRC's local term (2304.03406)."""

    def __init__(self, contrast: RegionContrastiveLoss) -> None:
        super().__init__()
        self.contrast = contrast

    def forward(self, input: Answer, target: Mapping[str, Tensor]) -> Tensor:
        """Loss of {"query": (B, D, X, Y[, Z]), "key": same}, there or under "dense" of a dict.

        The target holds "regions" and "key_regions", (B, 1, X, Y[, Z]) each, as ``ContrastViews`` makes them.
        """
        loss: Tensor = self.contrast(*_both(input, "dense"), target["regions"], target["key_regions"])
        return loss


class DenseMomentumContrast(_Loss):
    """``DenseContrastiveLoss`` between the dense embeddings of both views, with a queue; IDEAL's (2210.15075).

    Args:
        contrast: the loss.
        queue: keeps some locations of past batches.
        kept: locations of every image that enter the queue, drawn at random.
    """

    def __init__(self, contrast: DenseContrastiveLoss, queue: Queue, kept: int = 16) -> None:
        super().__init__()
        self.contrast, self.queue, self.kept = contrast, queue, kept

    def forward(self, input: Answer, target: Mapping[str, Tensor]) -> Tensor:
        """Loss of {"query": (B, D, X, Y[, Z]), "key": same}, there or under "dense" of a dict.

        The target holds "grid" and "valid", as ``ContrastViews`` makes them.
        """
        query, key = _both(input, "dense")
        past = self.queue.features.to(key)
        loss: Tensor = self.contrast(query, key, target["grid"], target["valid"], past if len(past) else None)
        if self.training:
            places = key.flatten(2)
            drawn = torch.randint(places.shape[2], (self.kept,), device=key.device)
            self.queue.push(places[:, :, drawn].transpose(1, 2).flatten(0, 1))
        return loss


def _both(answer: Answer, part: str) -> tuple[Tensor, Tensor]:
    """Query and key, the latter without gradient, of a projection alone or of ``part`` of several."""
    query, key = (found[part] if isinstance(found, Mapping) else found for found in (answer["query"], answer["key"]))
    return query, key.detach()


class SummedLoss(_Loss):
    """Weighted sum of losses of the same answer and target.

    Args:
        terms: the losses.
        weights: one for each, not below 0.

    Raises:
        ValueError: when there is not one weight for each term, or one is negative.
    """

    def __init__(self, terms: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(terms) != len(weights) or min(weights, default=-1) < 0:
            raise ValueError(f"{len(terms)} terms and weights {list(weights)}, expected one for each, none below 0")
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def forward(self, input: Any, target: Any) -> Tensor:
        """The sum for one batch."""
        parts = [weight * term(input, target) for weight, term in zip(self.weights, self.terms, strict=True)]
        return torch.stack(parts).sum()
