"""Contrast between the query and key features that ``networks.MomentumEncoder`` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.dense_contrast import DenseContrastiveLoss
from s3net_monai.losses.region_contrast import RegionContrastiveLoss
from s3net_monai.losses.supervised_contrast import SupervisedContrastiveLoss

QueryAndKey = Mapping[str, Any]
_QUEUE_CLASS = -1  # class of the queue's features: no image of this batch


class Queue(Protocol):
    """``networks.FeatureQueue``, or an object with the same methods."""

    @property
    def features(self) -> Tensor:
        """Stored features (M, D)."""
        ...

    def push(self, features: Tensor) -> None:
        """Store features (N, D)."""
        ...


class GlobalMomentumContrast(_Loss):
    """InfoNCE with one embedding per image and a queue (MoCo, arXiv 1911.05722).

    The two views of an image attract each other and repel the other images and the queue. Small batches need the
    batch's other images as further negatives; the loss is therefore supervised contrast whose classes are the images.
    MONAI's ``ContrastiveLoss`` takes no queue, and a batch of eight slices has few negatives.

    Args:
        queue: stores the keys of past batches; it is updated in training mode only.
        temperature: of the cosine similarities.

    Example:
        >>> from s3net_monai.networks import FeatureQueue
        >>> loss = GlobalMomentumContrast(FeatureQueue(size=32, channels=16))
        >>> loss({"query": torch.randn(4, 16), "key": torch.randn(4, 16)}, target={}).shape
        torch.Size([])
    """

    def __init__(self, queue: Queue, temperature: float = 0.1) -> None:
        super().__init__()
        self.queue = queue
        self.contrast = SupervisedContrastiveLoss(temperature)

    def forward(self, input: QueryAndKey, target: Mapping[str, Any]) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: "query" and "key", both embeddings (B, D) or mappings that have them under "global".
            target: not used.
        """
        query, key = _query_and_key(input, "global")
        past_keys = self.queue.features.to(key)
        images = torch.arange(len(query), device=query.device)
        other_images = torch.cat([images, images.new_full((len(past_keys),), _QUEUE_CLASS)])
        loss = self.contrast(query, images, queue=torch.cat([key, past_keys]), queue_classes=other_images)
        if self.training:
            self.queue.push(key)
        return loss


class RegionMomentumContrast(_Loss):
    """``RegionContrastiveLoss`` of query and key: LRC's local term (arXiv 2304.03406).

    Args:
        contrast: the loss.

    Example:
        >>> loss = RegionMomentumContrast(RegionContrastiveLoss(exclude_touching=False))
        >>> regions = torch.arange(1, 5).reshape(1, 1, 2, 2).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
        >>> embeddings = {"query": torch.randn(1, 16, 8, 8), "key": torch.randn(1, 16, 8, 8)}
        >>> loss(embeddings, {"regions": regions, "key_regions": regions}).shape
        torch.Size([])
    """

    def __init__(self, contrast: RegionContrastiveLoss) -> None:
        super().__init__()
        self.contrast = contrast

    def forward(self, input: QueryAndKey, target: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: "query" and "key", both embeddings (B, D, X, Y[, Z]) or mappings that have them under "dense".
            target: "regions" and "key_regions", (B, 1, X, Y[, Z]) each, as ``engines.ContrastViews`` makes them.
        """
        query, key = _query_and_key(input, "dense")
        loss: Tensor = self.contrast(query, key, regions=target["regions"], target_regions=target["key_regions"])
        return loss


class DenseMomentumContrast(_Loss):
    """``DenseContrastiveLoss`` of query and key, with a queue (IDEAL, arXiv 2210.15075).

    Args:
        contrast: the loss.
        queue: stores some locations of past batches; it is updated in training mode only.
        queued_locations: locations of every image that enter the queue, sampled at random.

    Example:
        >>> from s3net_monai.networks import FeatureQueue
        >>> loss = DenseMomentumContrast(DenseContrastiveLoss(samples=8), FeatureQueue(size=32, channels=16))
        >>> embeddings = {"query": torch.randn(1, 16, 8, 8), "key": torch.randn(1, 16, 8, 8)}
        >>> grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, 8, 8], align_corners=False)
        >>> loss(embeddings, {"grid": grid, "valid": torch.ones(1, 1, 8, 8)}).shape
        torch.Size([])
    """

    def __init__(self, contrast: DenseContrastiveLoss, queue: Queue, queued_locations: int = 16) -> None:
        super().__init__()
        self.contrast, self.queue, self.queued_locations = contrast, queue, queued_locations

    def forward(self, input: QueryAndKey, target: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: "query" and "key", both embeddings (B, D, X, Y[, Z]) or mappings that have them under "dense".
            target: "grid" and "valid", as ``engines.ContrastViews`` makes them.
        """
        query, key = _query_and_key(input, "dense")
        past_keys = self.queue.features.to(key)
        loss: Tensor = self.contrast(
            query, key, grid=target["grid"], valid=target["valid"], queue=past_keys if len(past_keys) else None
        )
        if self.training:
            locations = key.flatten(2)
            indices = torch.randint(locations.shape[2], (self.queued_locations,), device=key.device)
            self.queue.push(locations[:, :, indices].transpose(1, 2).flatten(0, 1))
        return loss


class SummedLoss(_Loss):
    """Weighted sum of losses of the same input and target.

    Args:
        terms: the losses.
        weights: one per loss, at least 0.

    Raises:
        ValueError: when there is not one weight per term, or one is negative.

    Example:
        >>> loss = SummedLoss([nn.L1Loss(), nn.MSELoss()], [2.0, 0.5])
        >>> loss(torch.tensor([3.0]), torch.tensor([1.0]))  # 2 * 2 + 0.5 * 4
        tensor(6.)
    """

    def __init__(self, terms: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(terms) != len(weights) or min(weights, default=-1) < 0:
            raise ValueError(f"{len(terms)} terms and weights {list(weights)}, expected one for each, none below 0")
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Return the weighted sum for one batch, whose input and target every term receives."""
        values = [weight * term(input, target) for weight, term in zip(self.weights, self.terms, strict=True)]
        return torch.stack(values).sum()


def _query_and_key(features: QueryAndKey, name: str) -> tuple[Tensor, Tensor]:
    """Return query and key of one projection, or of ``name`` among several; the key detached."""
    query, key = (
        value[name] if isinstance(value, Mapping) else value for value in (features["query"], features["key"])
    )
    return query, key.detach()
