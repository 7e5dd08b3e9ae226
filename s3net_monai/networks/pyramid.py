"""The body of S3-Net: attention blocks on one or several scales, in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.deformable import DeformableConv
from s3net_monai.networks.inception_lka import AttentionBlock


def _conv_norm_act(
    spatial_dims: int, in_channels: int, out_channels: int, *, norm: str | tuple, stride: int = 1
) -> nn.Sequential:
    convolution = Conv["conv", spatial_dims](in_channels, out_channels, kernel_size=3, stride=stride, padding=1)
    return nn.Sequential(convolution, get_norm_layer(norm, spatial_dims, out_channels), nn.GELU())


def _channels_last(x: Tensor) -> Tensor:
    """Return (B, C, X, Y[, Z]) with the channels last in memory on a CPU, where that halves the time of convolutions.

    Instance normalization and the deformable convolution return the channels first.
    """
    if x.device.type != "cpu":
        return x
    return x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)


class PyramidBody(nn.Module):
    """Attention blocks on coarse levels, a deformable convolution, plain finer levels.

    The paper has a single level. Depthwise kernels of reach 19 cost too much at full size, and a single level sees too
    little of an image to tell a lesion from a shadow. The blocks therefore sit on the levels of a pyramid, each half
    the size of the one before. The deformable convolution follows the finest level with blocks; as in the paper, the
    auxiliary head branches off before it.

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
                _conv_norm_act(spatial_dims, previous, width, norm=norm, stride=1 if level == 0 else 2)
            ]
            layers += [self.make_block(spatial_dims, width, norm) for _ in range(blocks)]
            self.levels.append(nn.Sequential(*layers))
            previous = width
        self.coarse_to_fine = nn.ModuleList()
        for level in range(len(channels) - 2, -1, -1):
            width = channels[level]
            self.coarse_to_fine.append(_conv_norm_act(spatial_dims, channels[level + 1] + width, width, norm=norm))
        attention_width = channels[self.attention_level]
        self.auxiliary = convolution(attention_width, num_clusters, 1)
        self.deformable = nn.Sequential(
            self.make_deformable(spatial_dims, attention_width), get_norm_layer(norm, spatial_dims, attention_width)
        )
        self.head = convolution(channels[0], num_clusters, 1)

    def make_block(self, spatial_dims: int, channels: int, norm: str | tuple) -> nn.Module:
        """Return a new block of a level.

        An ablation overrides this method.
        """
        return AttentionBlock(spatial_dims, channels, norm)

    def make_deformable(self, spatial_dims: int, channels: int) -> nn.Module:
        """Return the convolution that follows the finest level with blocks.

        An ablation overrides this method.
        """
        return DeformableConv(spatial_dims, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both heads.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            Logits of the main and of the auxiliary head, (B, num_clusters, X, Y[, Z]) each.
        """
        x, branch = self.features(x)
        auxiliary = F.interpolate(self.auxiliary(branch), size=x.shape[2:], mode=self.mode, align_corners=False)
        return self.head(x), auxiliary

    def main(self, x: Tensor) -> Tensor:
        """Return the logits of the main head alone, the first result of ``forward``."""
        return self.head(self.features(x)[0])

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps that the heads read.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            The finest map (B, channels[0], X, Y[, Z]), and the one before the deformable convolution.
        """
        x = _channels_last(x)
        skips: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            skips.append(x)
        depth = len(skips) - 1
        branch = x
        if depth == self.attention_level:
            x = F.gelu(self.deformable(x))
        for merge in self.coarse_to_fine:
            depth -= 1
            skip = skips[depth]
            x = F.interpolate(_channels_last(x), size=skip.shape[2:], mode=self.mode, align_corners=False)
            x = merge(torch.cat([x, _channels_last(skip)], dim=1))
            if depth == self.attention_level:
                branch = x
                x = F.gelu(self.deformable(x))
        return x, branch
