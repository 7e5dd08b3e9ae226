"""S3-Net with one part replaced, for the ablation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_norm_layer
from monai.utils import ensure_tuple_rep
from torch import Tensor, nn

from s3net_monai.networks import S3Net
from s3net_monai.networks.deformable import deformable_conv
from s3net_monai.networks.pyramid import PyramidBody


class ResidualConvBlock(nn.Module):
    """Residual block without attention: ``norm(x + conv(GELU(x)))`` with a kernel of 3.

    In 2-D it costs about as much as ``AttentionBlock``.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
        norm: a MONAI normalization layer.
    """

    def __init__(self, spatial_dims: int, channels: int, norm: str | tuple = "batch") -> None:
        super().__init__()
        self.activation = nn.GELU()
        self.convolution = Conv["conv", spatial_dims](channels, channels, 3, padding=1)
        self.norm = get_norm_layer(norm, spatial_dims, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for features (B, channels, X, Y[, Z]), of the same shape."""
        return self.norm(x + self.convolution(self.activation(x)))


class FreeOffsetConv(nn.Module):
    """Deformable convolution whose offsets and modulation are parameters of one image size.

    They do not depend on the image. The public code of arXiv 2309.00143 has them, drawn uniformly from [0, 1).

    Args:
        channels: channels in and out.
        size: spatial size of the features, one number per axis.
        kernel_size: odd size of the kernel along every axis.
    """

    def __init__(self, channels: int, size: Sequence[int], kernel_size: int = 3) -> None:
        super().__init__()
        dims = len(size)
        taps = kernel_size**dims
        prototype = Conv["conv", dims](channels, channels, kernel_size, bias=False)
        self.weight = nn.Parameter(prototype.weight.detach().clone())
        self.offset = nn.Parameter(torch.rand(1, taps * dims, *size))
        self.modulation = nn.Parameter(torch.rand(1, taps, *size))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (B, channels, X, Y[, Z]), of the same shape.

        Raises:
            ValueError: for another size.
        """
        size = self.offset.shape[2:]
        if x.shape[2:] != size:
            raise ValueError(f"free offsets are of {list(size)}, found features of {list(x.shape[2:])}; set image_size")
        offset = self.offset.expand([x.shape[0]] + list(self.offset.shape[1:]))
        modulation = self.modulation.expand([x.shape[0]] + list(self.modulation.shape[1:]))
        return deformable_conv(x, offset=offset, modulation=modulation, weight=self.weight, bias=None)


class S3NetWithoutAttention(S3Net):
    """S3-Net with a ``ResidualConvBlock`` in place of every attention block."""

    def make_body(self, **arguments: Any) -> PyramidBody:
        """Return the layers without attention."""
        return _BodyWithoutAttention(**arguments)


class S3NetWithoutDeformable(S3Net):
    """S3-Net with a plain convolution in place of the deformable one."""

    def make_body(self, **arguments: Any) -> PyramidBody:
        """Return the layers without a deformable convolution."""
        return _BodyWithoutDeformable(**arguments)


class S3NetWithFreeOffsets(S3Net):
    """S3-Net with the authors' deformable convolution, for images of one size.

    Args:
        image_size: the only image size that the network takes.
        arguments: those of ``S3Net``.
    """

    def __init__(self, *, image_size: int | Sequence[int], spatial_dims: int = 2, **arguments: Any) -> None:
        self.image_size = ensure_tuple_rep(image_size, spatial_dims)
        super().__init__(spatial_dims=spatial_dims, **arguments)

    def make_body(self, **arguments: Any) -> PyramidBody:
        """Return the layers with free offsets."""
        return _BodyWithFreeOffsets(image_size=self.image_size, **arguments)


class _BodyWithoutAttention(PyramidBody):
    def make_block(self, spatial_dims: int, channels: int, norm: str | tuple) -> nn.Module:
        return ResidualConvBlock(spatial_dims, channels, norm)


class _BodyWithoutDeformable(PyramidBody):
    def make_deformable(self, spatial_dims: int, channels: int) -> nn.Module:
        return Conv["conv", spatial_dims](channels, channels, 3, padding=1)


class _BodyWithFreeOffsets(PyramidBody):
    def __init__(self, *, image_size: Sequence[int], **arguments: Any) -> None:
        self.image_size = image_size
        super().__init__(**arguments)

    def make_deformable(self, spatial_dims: int, channels: int) -> nn.Module:
        size = [-(-length // 2**self.attention_level) for length in self.image_size]  # every level rounds up
        return FreeOffsetConv(channels, size)
