"""Encoders: images in, a list of feature maps out, finest first."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from monai.networks.nets.basic_unet import Down, TwoConv
from torch import Tensor, nn

ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
INSTANCE_NORM = ("instance", {"affine": True})
_PROBE_SIZE = 64  # leaves more than one voxel at stride 32, where most encoders end


class ConvEncoder(nn.Module):
    """The contracting path of MONAI's ``BasicUNet``, of any depth; map i has ``channels[i]`` at ``stride * 2**i``.

    Instance normalization is the default: batch statistics would let the images of a batch see one another, which a
    contrastive loss exploits.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image, with the attention mask if the method has one.
        channels: width of every level, finest first. The finest level takes most of the time.
        stride: of the finest map, a power of 2. With 2, cells of 2x2[x2] voxels are embedded first, as patches are in a
            vision transformer, and everything costs about a quarter; decoders answer for every voxel all the same.
        norm: a MONAI normalization layer.
        dropout: share of the features that every convolution drops in training.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        channels: Sequence[int] = (16, 32, 64, 128, 128),
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        first = channels[0] if stride > 1 else in_channels
        self.cells = Conv["conv", spatial_dims](in_channels, first, stride, stride) if stride > 1 else nn.Identity()
        levels: list[nn.Module] = [TwoConv(spatial_dims, first, channels[0], ACTIVATION, norm, False, dropout)]
        for width, next_width in itertools.pairwise(channels):
            levels.append(Down(spatial_dims, width, next_width, ACTIVATION, norm, False, dropout))
        self.levels = nn.ModuleList(levels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps (B, channels[i], ...) of images (B, C, X, Y[, Z]); sizes are divided by the stride, rounded down."""
        x = self.cells(x)
        maps: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps


def feature_channels(encoder: nn.Module, spatial_dims: int, in_channels: int) -> list[int]:
    """Channels of every map of an encoder, found by one dry forward.

    Raises:
        ValueError: when ``encoder`` is none; see ``feature_levels``.
    """
    return feature_levels(encoder, spatial_dims, in_channels)[0]


def feature_levels(encoder: nn.Module, spatial_dims: int, in_channels: int) -> tuple[list[int], list[int]]:
    """Channels and strides of every map of an encoder, finest first, found by one dry forward of a copy of it.

    Raises:
        ValueError: when the encoder gives no list of maps, or its maps do not halve from one to the next.
    """
    with torch.no_grad():
        maps = copy.deepcopy(encoder).cpu().eval()(torch.zeros(1, in_channels, *[_PROBE_SIZE] * spatial_dims))
    name = type(encoder).__name__
    if not isinstance(maps, (list, tuple)) or not all(isinstance(found, Tensor) for found in maps) or not maps:
        raise ValueError(f"{name} gives {type(maps).__name__}, expected a list of feature maps, finest first")
    sizes = [list(found.shape[2:]) for found in maps]
    finest = sizes[0][0]
    halving = [[finest >> level] * spatial_dims for level in range(len(maps))]
    if sizes != halving or finest not in [_PROBE_SIZE >> level for level in range(_PROBE_SIZE.bit_length())]:
        shown = ", ".join("x".join(map(str, size)) for size in sizes)
        raise ValueError(f"{name} gives maps of {shown} voxels for {_PROBE_SIZE}, expected each half of the one before")
    return [found.shape[1] for found in maps], [_PROBE_SIZE // size[0] for size in sizes]
