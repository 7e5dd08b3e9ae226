"""The corrected S3-Net body: any size, any batch, 2-D and 3-D, on one scale or several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.deformable import DeformableConv
from s3net_monai.networks.inception_lka import AttentionBlock


def _conv_norm_act(spatial_dims: int, c_in: int, c_out: int, norm: str | tuple, stride: int = 1) -> nn.Sequential:
    convolution = Conv["conv", spatial_dims](c_in, c_out, 3, stride=stride, padding=1)
    return nn.Sequential(convolution, get_norm_layer(norm, spatial_dims, c_out), nn.GELU())


class PyramidBody(nn.Module):
    """Attention blocks on the coarse levels of a pyramid, a deformable convolution, and plain detail levels above.

    The paper has one level. Depthwise kernels of reach 19 cost too much at full size, and one level sees too little of
    an image to tell a lesion from a shadow; so the blocks sit on levels of half size each. The deformable convolution
    follows the finest level with blocks, the auxiliary head branches off before it, as in the paper.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        num_clusters: channels of both heads.
        channels: width of every level, finest first.
        num_blocks: attention blocks of every level; 0 means one plain convolution.
        norm: a MONAI normalization layer.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        num_clusters: int,
        channels: Sequence[int],
        num_blocks: Sequence[int],
        norm: str | tuple,
    ) -> None:
        super().__init__()
        convolution = Conv["conv", spatial_dims]
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"
        self.attention_level = next(level for level, blocks in enumerate(num_blocks) if blocks > 0)
        self.levels = nn.ModuleList()
        previous = in_channels
        for level, (width, blocks) in enumerate(zip(channels, num_blocks, strict=True)):
            layers: list[nn.Module] = [
                _conv_norm_act(spatial_dims, previous, width, norm, stride=1 if level == 0 else 2)
            ]
            layers += [self.make_block(spatial_dims, width, norm) for _ in range(blocks)]
            self.levels.append(nn.Sequential(*layers))
            previous = width
        self.coarse_to_fine = nn.ModuleList()
        for level in range(len(channels) - 2, -1, -1):
            width = channels[level]
            self.coarse_to_fine.append(_conv_norm_act(spatial_dims, channels[level + 1] + width, width, norm))
        finest = channels[self.attention_level]
        self.auxiliary = convolution(finest, num_clusters, 1)
        self.deformable = nn.Sequential(
            self.make_deformable(spatial_dims, finest), get_norm_layer(norm, spatial_dims, finest)
        )
        self.head = convolution(channels[0], num_clusters, 1)

    def make_block(self, spatial_dims: int, channels: int, norm: str | tuple) -> nn.Module:
        """Return the block that stands ``num_blocks`` times on a level; an ablation overrides it."""
        return AttentionBlock(spatial_dims, channels, norm)

    def make_deformable(self, spatial_dims: int, channels: int) -> nn.Module:
        """Return the convolution after the finest level with blocks; an ablation overrides it."""
        return DeformableConv(spatial_dims, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both heads, (B, num_clusters, X, Y[, Z]) each, of images (B, C, X, Y[, Z])."""
        size = x.shape[2:]
        skips: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            skips.append(x)
        depth = len(skips) - 1
        auxiliary = x
        if depth == self.attention_level:
            auxiliary, x = self.auxiliary(x), F.gelu(self.deformable(x))
        for merge in self.coarse_to_fine:
            depth -= 1
            skip = skips[depth]
            x = F.interpolate(x, size=skip.shape[2:], mode=self.mode, align_corners=False)
            x = merge(torch.cat([x, skip], dim=1))
            if depth == self.attention_level:
                auxiliary, x = self.auxiliary(x), F.gelu(self.deformable(x))
        return self.head(x), F.interpolate(auxiliary, size=size, mode=self.mode, align_corners=False)
