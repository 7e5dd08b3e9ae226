"""The expanding path of a U-Net over the maps of any encoder, and the padding that lets it take any size."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.layers.factories import Conv
from monai.networks.nets.basic_unet import UpCat
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import ACTIVATION, INSTANCE_NORM


class UpDecoder(nn.Module):
    """MONAI's ``UpCat`` from the coarsest map up to full size, with a skip connection for every map, and a 1x1 head.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of the encoder's maps, finest first.
        stride: stride of the finest map, a power of 2; above 1 there are steps without a skip connection.
        out_channels: channels of the logits.
        upsample: "deconv" (transposed convolution), "nontrainable" (linear interpolation) or "pixelshuffle".
        norm: a MONAI normalisation layer.
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
        skips = list(channels[-2::-1]) + [0] * (stride.bit_length() - 1)
        self.steps = nn.ModuleList()
        width = channels[-1]
        for skip in skips:
            wide = skip or width // 2
            self.steps.append(
                UpCat(spatial_dims, width, skip, wide, ACTIVATION, norm, False, dropout, upsample=upsample)
            )
            width = wide
        self.head = Conv["conv", spatial_dims](width, out_channels, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Logits (B, out_channels, spatial of the finest map times its stride)."""
        x = maps[-1]
        for index, step in enumerate(self.steps):
            x = step(x, maps[-2 - index] if index + 1 < len(maps) else None)
        return self.head(x)


def pad_to_stride(x: Tensor, stride: int) -> Tensor:
    """Repeat the far edges of (B, C, X, Y[, Z]) up to whole multiples of the stride.

    A map of a single voxel cannot be normalised, so that the first axis takes two multiples if all others have one.
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
