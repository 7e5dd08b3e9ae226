"""The expanding path of a U-Net over the maps of any encoder, and the padding that lets it take any size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from monai.networks.blocks import SubpixelUpsample
from monai.networks.layers.factories import Conv
from monai.networks.nets.basic_unet import UpCat
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import ACTIVATION, INSTANCE_NORM


class UNetDecoder(nn.Module):
    """MONAI's ``UpCat`` from the coarsest map up to the finest, with a skip connection for every map, and a 1x1 head.

    Where the finest map has a stride, the head is a sub-pixel convolution: it answers for all voxels of a cell at once,
    which costs a fraction of convolutions at full size.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of the encoder's maps, finest first.
        stride: stride of the finest map.
        out_channels: channels of the logits.
        upsample: "deconv" (transposed convolution), "nontrainable" (linear interpolation) or "pixelshuffle".
        norm: a MONAI normalization layer.
        dropout: share of the features that every convolution drops in training.
    """

    def __init__(
        self,
        spatial_dims: int,
        channels: Sequence[int],
        stride: int,
        out_channels: int,
        upsample: str = "deconv",
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            UpCat(spatial_dims, coarse, fine, fine, ACTIVATION, norm, False, dropout, upsample=upsample)
            for fine, coarse in reversed(list(itertools.pairwise(channels)))
        )
        self.head = (
            SubpixelUpsample(spatial_dims, channels[0], out_channels, stride)
            if stride > 1
            else Conv["conv", spatial_dims](channels[0], out_channels, 1)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Logits (B, out_channels, spatial of the finest map times its stride)."""
        x = maps[-1]
        for index, step in enumerate(self.steps):
            x = step(x, maps[-2 - index])
        return self.head(x)


def pad_to_stride(x: Tensor, stride: int) -> Tensor:
    """Repeat the far edges of (B, C, X, Y[, Z]) up to whole multiples of the stride.

    A map of a single voxel cannot be normalized, so that the first axis takes two multiples if all others have one.
    """
    multiples = [-(-length // stride) for length in x.shape[2:]]
    if max(multiples) == 1:
        multiples[0] = 2
    padding: list[int] = []
    for axis in range(len(multiples) - 1, -1, -1):  # F.pad wants the last axis first
        padding += [0, multiples[axis] * stride - x.shape[2 + axis]]
    return F.pad(x, padding, mode="replicate") if max(padding) > 0 else x


def crop_to_size(x: Tensor, size: list[int]) -> Tensor:
    """The first ``size`` voxels of (B, C, X, Y[, Z]) along every spatial axis: what ``pad_to_stride`` was given."""
    for axis, length in enumerate(size):
        x = x.narrow(2 + axis, 0, length)
    return x
