"""What MoCo adds to contrast (arXiv 1911.05722): a slowly moving copy of the network, and a queue of its features."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """A network for the queries, and a copy of it for the keys that follows as an exponential moving average.

    The copy is made here, so load a pre-trained encoder first. It moves once in every forward in training, before the
    keys are computed, and never in evaluation. Its buffers (running statistics) are its own. With a segmentation
    network this is a mean teacher: the keys are the teacher's.

    Args:
        network: trained by gradient; ``pair.network.encoder`` is the encoder to keep.
        momentum: share of itself that the copy keeps at every step; 1 freezes it.

    Raises:
        ValueError: for a momentum outside [0, 1].
    """

    def __init__(self, network: nn.Module, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum is {momentum}, expected 0 to 1")
        self.network = network
        self.key_network = copy.deepcopy(network).requires_grad_(False)
        self.momentum = momentum

    def forward(self, query: Tensor, key: Tensor) -> dict[str, Any]:
        """{"query": the network's answer, "key": its copy's, without gradient} for images (B, C, X, Y[, Z])."""
        with torch.no_grad():
            if self.training:
                self.update()
            features = self.key_network(key)
        return {"query": self.network(query), "key": features}

    @torch.no_grad()
    def update(self) -> None:
        """Move the copy one step towards the network."""
        for mine, theirs in zip(self.key_network.parameters(), self.network.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.momentum)


class FeatureQueue(nn.Module):
    """The last features seen, as further negatives (or positives) of a batch too small to hold enough of them.

    A ring of buffers: a state dict carries it, and no gradient reaches it. Every process has its own.

    Args:
        size: features kept.
        channels: length of a feature.
        labeled: whether a class comes with every feature.

    Raises:
        ValueError: for a queue without room.
    """

    def __init__(self, size: int, channels: int, labeled: bool = False) -> None:
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
        """What is stored, (N, channels) with N up to ``size``, in no particular order. A copy, safe to keep."""
        return self.ring[: int(self.pushed)].clone()

    @property
    def labels(self) -> Tensor:
        """The classes (N,) of ``features``, in the same order.

        Raises:
            ValueError: when the queue has none.
        """
        if not self.labeled:
            raise ValueError("this queue keeps no classes; build it with labeled=True")
        return self.ring_labels[: int(self.pushed)].clone()

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor | None = None) -> None:
        """Store features (N, channels), and their classes (N,), in the place of the oldest.

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
        places = (int(self.pushed) + torch.arange(count, device=self.ring.device)[-size:]) % size
        self.ring[places] = features[-size:].to(self.ring)
        if labels is not None:
            self.ring_labels[places] = labels[-size:].to(self.ring_labels)
        self.pushed += count
