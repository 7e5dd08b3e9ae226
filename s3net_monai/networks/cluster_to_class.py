"""From clusters to classes, by an assignment that is stored with the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.s3net import S3Net


class ClusterToClass(nn.Module):
    """Class probabilities: the softmax over clusters, summed over the clusters of each class.

    The assignment of clusters to classes is a buffer, so a plain state dict carries it. A new network divides the
    clusters evenly among the classes; ``set_assignment`` replaces that by the result of a label-free rule.

    Args:
        network: returns cluster logits (B, K, X, Y[, Z]).
        num_classes: number of classes, background included; class 0 is background.

    Raises:
        ValueError: when there are fewer clusters than classes.

    Example:
        >>> network = ClusterToClass(S3Net(in_channels=1, num_clusters=4, channels=8, num_blocks=1))
        >>> network.set_assignment(torch.tensor([0, 1, 1, 0]))
        >>> network(torch.rand(2, 1, 16, 12)).shape
        torch.Size([2, 2, 16, 12])
    """

    def __init__(self, network: S3Net, num_classes: int = 2) -> None:
        super().__init__()
        if network.num_clusters < num_classes:
            raise ValueError(
                f"{network.num_clusters} clusters cannot be assigned to {num_classes} classes; raise num_clusters"
            )
        self.network = network
        self.num_classes = num_classes
        even_split = torch.arange(network.num_clusters) * num_classes // network.num_clusters
        self.cluster_class: Tensor
        self.register_buffer("cluster_class", even_split)

    def set_assignment(self, cluster_class: Tensor) -> None:
        """Set the class of every cluster.

        Args:
            cluster_class: integers (K,) in [0, num_classes).

        Raises:
            ValueError: for a wrong shape or a class out of range.
        """
        expected = (self.network.num_clusters,)
        if tuple(cluster_class.shape) != expected:
            raise ValueError(f"cluster_class has shape {tuple(cluster_class.shape)}, expected {expected}")
        if cluster_class.min() < 0 or cluster_class.max() >= self.num_classes:
            raise ValueError(f"cluster_class {cluster_class.tolist()} has a class outside 0..{self.num_classes - 1}")
        self.cluster_class.copy_(cluster_class)

    def assignment_matrix(self) -> Tensor:
        """Return the one-hot assignment, (K, num_classes)."""
        return F.one_hot(self.cluster_class, self.num_classes).to(torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        """Return class probabilities (B, num_classes, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        clusters = torch.softmax(self.network(x), dim=1)
        return torch.einsum("bk...,kc->bc...", clusters, self.assignment_matrix().to(clusters.dtype))


class S3NetTrainingHeads(nn.Module):
    """Both heads of the S3-Net inside a ``ClusterToClass``, as the training losses need them.

    This is a module of its own so that ``DistributedDataParallel`` wraps exactly the call that training makes.

    Args:
        classes: the network that is trained.

    Example:
        >>> classes = ClusterToClass(S3Net(in_channels=1, num_clusters=4, channels=8, num_blocks=1))
        >>> main, auxiliary = S3NetTrainingHeads(classes)(torch.rand(2, 1, 16, 12))
        >>> main.shape == auxiliary.shape == (2, 4, 16, 12)
        True
    """

    def __init__(self, classes: ClusterToClass) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return main and auxiliary cluster logits (B, K, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return self.classes.network.heads(x)
