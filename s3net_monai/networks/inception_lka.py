"""Inception large-kernel attention (I-LKA), arXiv 2309.00143."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn

from s3net_monai.networks.depthwise_conv import DepthwiseConv


class InceptionLKA(nn.Module):
    """Attention gate from three depthwise convolutions of increasing reach.

    Their kernels are 3 voxels wide at dilation 1, 5 at dilation 2 and 7 at dilation 3.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.

    Example:
        >>> InceptionLKA(spatial_dims=3, channels=4)(torch.rand(1, 4, 6, 5, 4)).shape
        torch.Size([1, 4, 6, 5, 4])
    """

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__()
        self.local = DepthwiseConv(spatial_dims, channels, kernel_size=5)
        self.branches = nn.ModuleList(
            DepthwiseConv(spatial_dims, channels, kernel, dilation) for kernel, dilation in ((3, 1), (5, 2), (7, 3))
        )
        self.merge = Conv["conv", spatial_dims](3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, channels, X, Y[, Z]) times their attention, of the same shape."""
        local = self.local(x)
        attention = self.merge(torch.cat([branch(local) for branch in self.branches], dim=1))
        return x * attention


class AttentionBlock(nn.Module):
    """Residual block with I-LKA.

    It computes ``norm(x + P2(I-LKA(GELU(P1 x))))`` with 1x1 convolutions P1 and P2.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
        norm: a MONAI normalization layer, "batch" in the paper.

    Example:
        >>> AttentionBlock(spatial_dims=2, channels=4)(torch.rand(2, 4, 9, 7)).shape
        torch.Size([2, 4, 9, 7])
    """

    def __init__(self, spatial_dims: int, channels: int, norm: str | tuple = "batch") -> None:
        super().__init__()
        convolution = Conv["conv", spatial_dims]
        self.project_in = convolution(channels, channels, 1)
        self.activation = nn.GELU()
        self.attention = InceptionLKA(spatial_dims, channels)
        self.project_out = convolution(channels, channels, 1)
        self.norm = get_norm_layer(norm, spatial_dims, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for features (B, channels, X, Y[, Z]), of the same shape."""
        return self.norm(x + self.project_out(self.attention(self.activation(self.project_in(x)))))
