"""Fitting of the original S3-Net to single images."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.original_s3net.losses import OriginalLoss
from benchmarks.original_s3net.network import OriginalS3Net

MIN_STEPS = 6  # the authors' code does not stop earlier, however few clusters the map has


def fit_original_s3net(
    image: Tensor, *, channels: int = 64, steps: int = 50, min_clusters: int = 3, learning_rate: float = 0.2
) -> Tensor:
    """Return the clusters of one image from a network that is trained on this image alone.

    The optimizer is SGD with momentum 0.9 (arXiv 2309.00143, section 3.1). From the sixth step on, fitting stops once
    the map has few clusters. The map is that of the last forward pass. Random numbers come from torch's global
    generator.

    Args:
        image: (C, X, Y) in [0, 1]; the authors use RGB of 256x256.
        channels: width of the network, which is the maximum number of clusters.
        steps: maximum number of optimization steps.
        min_clusters: number of clusters at which fitting stops.
        learning_rate: of SGD.

    Returns:
        Cluster numbers (X, Y) from 0 to ``channels - 1``.
    """
    network = OriginalS3Net(
        spatial_dims=2,
        in_channels=image.shape[0],
        num_clusters=channels,
        num_blocks=2,
        image_size=tuple(image.shape[1:]),
    ).train()
    loss = OriginalLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=0.9)
    clusters = torch.zeros(image.shape[1:], dtype=torch.long)
    for step in range(1, steps + 1):
        main, auxiliary = network.heads(image[None])
        clusters = main[0].detach().argmax(dim=0)
        optimizer.zero_grad()
        loss(main, auxiliary).backward()
        optimizer.step()
        if step >= MIN_STEPS and clusters.unique().numel() <= min_clusters:
            break
    return clusters
