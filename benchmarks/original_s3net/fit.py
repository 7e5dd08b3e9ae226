"""Per-image fitting as the S3-Net authors' public code does it, kept for comparison."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.original_s3net.losses import OriginalLoss
from benchmarks.original_s3net.network import OriginalS3Net


def fit_original_s3net(
    image: Tensor, channels: int = 64, steps: int = 50, min_clusters: int = 3, learning_rate: float = 0.2
) -> Tensor:
    """Clusters of one image by a fresh network: SGD with momentum 0.9, arXiv 2309.00143, section 3.1.

    From the sixth step on, fitting stops once the map has few clusters. The map is the one the last step saw.
    Randomness comes from torch's global generator.

    Args:
        image: (C, X, Y) in [0, 1]; the authors have RGB of 256x256.
        channels: width of the network, which is the largest number of clusters.
        steps: most optimization steps.
        min_clusters: number of clusters at which fitting stops.
        learning_rate: of SGD.

    Returns:
        Cluster numbers (X, Y), any of 0 to ``channels - 1``.
    """
    network = OriginalS3Net(2, image.shape[0], channels, num_blocks=2, image_size=tuple(image.shape[1:])).train()
    loss = OriginalLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=0.9)
    clusters = torch.zeros(image.shape[1:], dtype=torch.long)
    for step in range(steps):
        main, auxiliary = network.heads(image[None])
        clusters = main[0].detach().argmax(dim=0)
        optimizer.zero_grad()
        loss(main, auxiliary).backward()
        optimizer.step()
        if step >= 5 and clusters.unique().numel() <= min_clusters:
            break
    return clusters
