"""Encoders: images in, a list of feature maps out, finest first."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.layers.factories import Conv
from monai.networks.nets.basic_unet import Down, TwoConv
from torch import Tensor, nn

ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
INSTANCE_NORM = ("instance", {"affine": True})
_PROBE_SIZE = 64  # leaves more than one voxel at stride 32, where most encoders end


def feature_channels(encoder: nn.Module, spatial_dims: int, in_channels: int) -> list[int]:
    """Return the channels of every feature map of an encoder, finest first.

    They are found by one forward pass of a copy of the encoder, which leaves the encoder itself as it is.

    Args:
        encoder: returns a list of feature maps.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.

    Raises:
        ValueError: when ``encoder`` is not an encoder; see ``feature_levels``.

    Example:
        >>> feature_channels(ConvEncoder(channels=[4, 8]), spatial_dims=2, in_channels=1)
        [4, 8]
    """
    return feature_levels(encoder, spatial_dims, in_channels)[0]


def feature_levels(encoder: nn.Module, spatial_dims: int, in_channels: int) -> tuple[list[int], list[int]]:
    """Return the channels and the strides of every feature map of an encoder, finest first.

    They are found by one forward pass of a copy of the encoder; arguments as for ``feature_channels``.

    Raises:
        ValueError: when the encoder does not return a list of maps, or its maps do not halve from one to the next.
    """
    with torch.no_grad():
        maps = copy.deepcopy(encoder).cpu().eval()(torch.zeros(1, in_channels, *[_PROBE_SIZE] * spatial_dims))
    name = type(encoder).__name__
    if not isinstance(maps, (list, tuple)) or not all(isinstance(feature_map, Tensor) for feature_map in maps):
        raise ValueError(f"{name} returns {type(maps).__name__}, expected a list of feature maps, finest first")
    if not maps:
        raise ValueError(f"{name} returns an empty {type(maps).__name__}, expected a list of feature maps")
    sizes = [list(feature_map.shape[2:]) for feature_map in maps]
    finest = sizes[0][0]
    halving = [[finest >> level] * spatial_dims for level in range(len(maps))]
    if sizes != halving or finest not in [_PROBE_SIZE >> level for level in range(_PROBE_SIZE.bit_length())]:
        shapes = ", ".join("x".join(map(str, size)) for size in sizes)
        raise ValueError(
            f"{name} returns maps of {shapes} voxels for an image of {_PROBE_SIZE} along each axis, expected each "
            "half the size of the one before"
        )
    return [feature_map.shape[1] for feature_map in maps], [_PROBE_SIZE // size[0] for size in sizes]


class ConvEncoder(nn.Module):
    """The contracting path of MONAI's ``BasicUNet``, of any depth.

    Map i has ``channels[i]`` channels at stride ``stride * 2**i``. Instance normalization is the default because batch
    statistics would let the images of a batch influence one another, which a contrastive loss exploits.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image, with the attention mask if the method has one.
        channels: width of every level, finest first. The finest level takes most of the time.
        norm: a MONAI normalization layer.
        dropout: fraction of the features that every convolution drops in training.
        stride: stride of the finest map, a power of 2. With 2, cells of 2x2[x2] voxels are embedded first, like the
            patches of a vision transformer, and everything costs about a quarter; decoders still predict every voxel.

    Example:
        >>> encoder = ConvEncoder(spatial_dims=2, in_channels=1, channels=[4, 8])
        >>> [tuple(feature_map.shape) for feature_map in encoder(torch.rand(2, 1, 16, 12))]
        [(2, 4, 16, 12), (2, 8, 8, 6)]
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        channels: Sequence[int] = (16, 32, 64, 128, 128),
        *,
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        first = channels[0] if stride > 1 else in_channels
        self.cells = (
            Conv["conv", spatial_dims](in_channels, first, kernel_size=stride, stride=stride)
            if stride > 1
            else nn.Identity()
        )
        settings: dict[str, Any] = {"act": ACTIVATION, "norm": norm, "bias": False, "dropout": dropout}
        levels: list[nn.Module] = [TwoConv(spatial_dims, first, channels[0], **settings)]
        for width, next_width in itertools.pairwise(channels):
            levels.append(Down(spatial_dims, width, next_width, **settings))
        self.levels = nn.ModuleList(levels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps of images.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            Maps (B, channels[i], ...), finest first; their sizes are those of the image over the stride, rounded down.
        """
        x = self.cells(x)
        maps: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps
