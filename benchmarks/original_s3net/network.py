"""The network of the S3-Net authors' public code, arXiv 2309.00143."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Norm
from monai.utils import ensure_tuple_rep
from torch import Tensor, nn

from s3net_monai.networks.deformable import deformable_conv
from s3net_monai.networks.inception_lka import AttentionBlock


class OriginalS3Net(nn.Module):
    """The published network for a single image of a fixed size.

    The offsets and the modulation of its deformable convolution are parameters of one image size.

    Args:
        spatial_dims: 2 or 3; the authors have 2.
        in_channels: channels of the image.
        num_clusters: channels of every layer and of both heads; the authors use one number for all.
        num_blocks: number of attention blocks.
        image_size: the only image size that the network takes.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        num_clusters: int,
        num_blocks: int,
        image_size: int | Sequence[int],
    ) -> None:
        super().__init__()
        size = ensure_tuple_rep(image_size, spatial_dims)
        self.num_clusters = num_clusters
        convolution, norm, width = Conv["conv", spatial_dims], Norm["batch", spatial_dims], num_clusters
        taps = 3**spatial_dims
        self.stem = nn.Sequential(convolution(in_channels, width, 3, padding=1), norm(width))
        self.blocks = nn.Sequential(*(AttentionBlock(spatial_dims, width) for _ in range(num_blocks)))
        self.auxiliary = nn.Sequential(convolution(width, width, 1), norm(width))
        self.weight = nn.Parameter(torch.rand(width, width, *[3] * spatial_dims))
        self.offset = nn.Parameter(torch.rand(1, taps * spatial_dims, *size))
        self.modulation = nn.Parameter(torch.rand(1, taps, *size))
        self.head = nn.Sequential(norm(width), convolution(width, width, 1), norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return cluster logits (1, K, X, Y[, Z]) of one image (1, C, X, Y[, Z])."""
        return self.heads(x)[0]

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return cluster logits of the main and of the auxiliary branch, both (1, K, X, Y[, Z]).

        Raises:
            ValueError: for several images, or another size.
        """
        if x.shape[0] != 1 or x.shape[2:] != self.offset.shape[2:]:
            raise ValueError(
                f"the original S3-Net takes one image of {list(self.offset.shape[2:])}, found a batch of "
                f"{x.shape[0]} with {list(x.shape[2:])}; set image_size"
            )
        features = self.blocks(self.stem(x))
        deformed = deformable_conv(
            features, offset=self.offset, modulation=self.modulation, weight=self.weight, bias=None
        )
        return self.head(deformed), self.auxiliary(features)
