"""Inception large-kernel attention (I-LKA), arXiv 2309.00143."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn


class InceptionLKA(nn.Module):
    """Gate the features by three depthwise convolutions of growing reach: 3 (dilation 1), 5 (2) and 7 (3) voxels.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
    """

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__()
        convolution = Conv["conv", spatial_dims]
        self.local = convolution(channels, channels, 5, padding=2, groups=channels)
        self.branches = nn.ModuleList(
            convolution(
                channels, channels, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=channels
            )
            for kernel, dilation in ((3, 1), (5, 2), (7, 3))
        )
        self.merge = convolution(3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        local = self.local(x)
        attention = self.merge(torch.cat([branch(local) for branch in self.branches], dim=1))
        return x * attention


class AttentionBlock(nn.Module):
    """``norm(x + P2(I-LKA(GELU(P1 x))))`` with 1x1 convolutions P1 and P2.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
        norm: a MONAI normalization layer, "batch" in the paper.
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
        return self.norm(x + self.project_out(self.attention(self.activation(self.project_in(x)))))
