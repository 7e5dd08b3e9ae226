"""The momentum encoder and the feature queue of MoCo (arXiv 1911.05722)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """A query network, and a key network that follows it as an exponential moving average.

    The key network is copied from ``network`` here, so load a pre-trained encoder first. It is updated once per
    forward pass in training, before the keys are computed, and never in evaluation. It has its own buffers (running
    statistics). With a segmentation network this is a mean teacher: the keys are the teacher's predictions.

    Args:
        network: trained by gradient; ``momentum_encoder.network.encoder`` is the encoder to keep.
        momentum: fraction of its own value that every parameter of the copy keeps per step; 1 freezes the copy.

    Raises:
        ValueError: for a momentum outside [0, 1].

    Example:
        >>> momentum_encoder = MomentumEncoder(nn.Linear(3, 2), momentum=0.9)
        >>> features = momentum_encoder(torch.rand(4, 3), torch.rand(4, 3))
        >>> features["query"].requires_grad, features["key"].requires_grad
        (True, False)
    """

    def __init__(self, network: nn.Module, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum is {momentum}, expected 0 to 1")
        self.network = network
        self.key_network = copy.deepcopy(network).requires_grad_(False)
        self.momentum = momentum

    def forward(self, query: Tensor, key: Tensor) -> dict[str, Any]:
        """Return the outputs of both networks.

        Args:
            query: images (B, C, X, Y[, Z]) for the query network.
            key: images (B, C, X, Y[, Z]) for the key network.

        Returns:
            "query", the output of the query network, and "key", that of the key network, without a gradient.
        """
        with torch.no_grad():
            if self.training:
                self.update()
            key_output = self.key_network(key)
        return {"query": self.network(query), "key": key_output}

    @torch.no_grad()
    def update(self) -> None:
        """Move the key network one step towards the query network."""
        pairs = zip(self.key_network.parameters(), self.network.parameters(), strict=True)
        for key_parameter, query_parameter in pairs:
            key_parameter.lerp_(query_parameter, 1 - self.momentum)


class FeatureQueue(nn.Module):
    """The last features of a training, as further negatives or positives.

    Small batches do not have enough of them. The queue is a ring buffer that a state dict carries and that no gradient
    reaches. In distributed training every process has its own.

    Args:
        size: number of features that are kept.
        channels: length of a feature.
        labeled: whether every feature has a class.

    Raises:
        ValueError: for a size below 1.

    Example:
        >>> queue = FeatureQueue(size=3, channels=2)
        >>> queue.push(torch.rand(5, 2))
        >>> queue.features.shape
        torch.Size([3, 2])
    """

    def __init__(self, size: int, channels: int, *, labeled: bool = False) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"size is {size}, expected at least 1; leave the queue out to have none")
        self.labeled = labeled
        self.ring: Tensor
        self.ring_labels: Tensor
        self.pushed: Tensor
        self.register_buffer("ring", torch.zeros(size, channels))
        if labeled:
            self.register_buffer("ring_labels", torch.zeros(size, dtype=torch.long))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    @property
    def features(self) -> Tensor:
        """Stored features (N, channels), N up to ``size``, in no particular order; a copy."""
        return self.ring[: int(self.pushed)].clone()

    @property
    def labels(self) -> Tensor:
        """Classes (N,) of ``features``, in the same order; a copy.

        Raises:
            ValueError: when the queue has none.
        """
        if not self.labeled:
            raise ValueError("this queue keeps no classes; build it with labeled=True")
        return self.ring_labels[: int(self.pushed)].clone()

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor | None = None) -> None:
        """Store features in place of the oldest ones.

        Args:
            features: (N, channels).
            labels: their classes (N,), if the queue is labeled.

        Raises:
            ValueError: when shapes disagree, or classes are missing or unexpected.
        """
        if features.dim() != 2 or features.shape[1] != self.ring.shape[1]:
            raise ValueError(f"features are {tuple(features.shape)}, expected (N, {self.ring.shape[1]})")
        if (labels is not None) != self.labeled:
            raise ValueError(f"labels are {'missing' if self.labeled else 'given'} and labeled is {self.labeled}")
        if labels is not None and labels.shape != features.shape[:1]:
            raise ValueError(f"labels are {tuple(labels.shape)}, expected ({len(features)},)")
        size, count = len(self.ring), len(features)
        slots = (int(self.pushed) + torch.arange(count, device=self.ring.device)[-size:]) % size
        self.ring[slots] = features[-size:].to(self.ring)
        if labels is not None:
            self.ring_labels[slots] = labels[-size:].to(self.ring_labels)
        self.pushed += count
