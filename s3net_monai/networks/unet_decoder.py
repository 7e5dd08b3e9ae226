"""The expanding path of a U-Net for any encoder, and padding for any image size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from monai.networks.blocks import SubpixelUpsample
from monai.networks.layers.factories import Conv
from monai.networks.nets.basic_unet import UpCat
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import ACTIVATION, INSTANCE_NORM


def pad_to_stride(x: Tensor, stride: int) -> Tensor:
    """Pad (B, C, X, Y[, Z]) to whole multiples of the stride by repeating the far edges.

    If every axis would have a single multiple, the first one gets two, because a map of a single voxel cannot be
    normalized.
    """
    multiples = [-(-length // stride) for length in x.shape[2:]]
    if max(multiples) == 1:
        multiples[0] = 2
    padding: list[int] = []
    for axis in range(len(multiples) - 1, -1, -1):  # F.pad expects the last axis first
        padding += [0, multiples[axis] * stride - x.shape[2 + axis]]
    return F.pad(x, padding, mode="replicate") if max(padding) > 0 else x


def crop_to_size(x: Tensor, size: list[int]) -> Tensor:
    """Return the first ``size`` voxels of (B, C, X, Y[, Z]), which undoes ``pad_to_stride``."""
    for axis, length in enumerate(size):
        x = x.narrow(2 + axis, 0, length)
    return x


class UNetDecoder(nn.Module):
    """The expanding path: MONAI's ``UpCat`` from the coarsest map to the finest, and a head.

    Every map has a skip connection. The head is a 1x1 convolution. If the finest map has a stride above 1, it is a
    sub-pixel convolution instead, which predicts all voxels of a cell at once and costs a fraction of convolutions at
    full size.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of the encoder's maps, finest first.
        stride: stride of the finest map.
        out_channels: channels of the logits.
        upsample: "deconv" (transposed convolution), "nontrainable" (linear interpolation) or "pixelshuffle".
        norm: a MONAI normalization layer.
        dropout: fraction of the features that every convolution drops in training.
    """

    def __init__(
        self,
        spatial_dims: int,
        channels: Sequence[int],
        *,
        stride: int,
        out_channels: int,
        upsample: str = "deconv",
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            UpCat(
                spatial_dims,
                in_chns=coarse,
                cat_chns=fine,
                out_chns=fine,
                act=ACTIVATION,
                norm=norm,
                bias=False,
                dropout=dropout,
                upsample=upsample,
            )
            for fine, coarse in reversed(list(itertools.pairwise(channels)))
        )
        self.head = (
            SubpixelUpsample(spatial_dims, channels[0], out_channels, scale_factor=stride)
            if stride > 1
            else Conv["conv", spatial_dims](channels[0], out_channels, 1)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at full size.

        Args:
            maps: the encoder's maps (B, C_i, X_i, Y_i[, Z_i]), finest first.

        Returns:
            (B, out_channels, spatial size of the finest map times its stride).
        """
        x = maps[-1]
        for index, step in enumerate(self.steps):
            x = step(x, maps[-2 - index])
        return self.head(x)
