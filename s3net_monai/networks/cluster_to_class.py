"""From clusters to classes, by a naming that travels with the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.s3net import S3Net


class ClusterToClass(nn.Module):
    """Class probabilities: the softmax over clusters, summed over the clusters of each class.

    The naming is a buffer, so a plain state dict carries it. A fresh network gives the classes equal shares of the
    clusters; ``name`` replaces that by what a label-free rule found.

    Args:
        network: gives cluster logits (B, K, X, Y[, Z]).
        num_classes: number of classes, background included; class 0 is background.

    Raises:
        ValueError: when there are fewer clusters than classes.
    """

    def __init__(self, network: S3Net, num_classes: int = 2) -> None:
        super().__init__()
        if network.num_clusters < num_classes:
            raise ValueError(f"{network.num_clusters} clusters cannot name {num_classes} classes; raise num_clusters")
        self.network = network
        self.num_classes = num_classes
        equal_shares = torch.arange(network.num_clusters) * num_classes // network.num_clusters
        self.cluster_class: Tensor
        self.register_buffer("cluster_class", equal_shares)

    def set_assignment(self, cluster_class: Tensor) -> None:
        """Set the class of every cluster.

        Args:
            cluster_class: integers (K,) in [0, num_classes).

        Raises:
            ValueError: when the shape or a class is impossible.
        """
        expected = (self.network.num_clusters,)
        if tuple(cluster_class.shape) != expected:
            raise ValueError(f"naming has shape {tuple(cluster_class.shape)}, expected {expected}")
        if cluster_class.min() < 0 or cluster_class.max() >= self.num_classes:
            raise ValueError(f"naming {cluster_class.tolist()} has a class outside 0..{self.num_classes - 1}")
        self.cluster_class.copy_(cluster_class)

    def assignment_matrix(self) -> Tensor:
        """One-hot naming (K, num_classes)."""
        return F.one_hot(self.cluster_class, self.num_classes).to(torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        """Class probabilities (B, num_classes, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        clusters = torch.softmax(self.network(x), dim=1)
        return torch.einsum("bk...,kc->bc...", clusters, self.assignment_matrix().to(clusters.dtype))


class S3NetTrainingHeads(nn.Module):
    """Both heads of the S3-Net inside a ``ClusterToClass``, as the training losses want them.

    A module of its own, so that ``DistributedDataParallel`` wraps the very call that training makes.
    """

    def __init__(self, classes: ClusterToClass) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.classes.network.heads(x)
