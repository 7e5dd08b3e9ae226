"""Small encoders of every kind that label-efficient methods take, and a small U-Net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.networks.nets import EfficientNetBNFeatures, ResNetFeatures
from torch import nn

from s3net_monai.networks import ConvEncoder, EncoderUNet, S3Net, S3NetEncoder


def conv_encoder(spatial_dims: int, in_channels: int) -> nn.Module:
    """The project's own encoder with three levels."""
    return ConvEncoder(spatial_dims, in_channels, channels=(4, 6, 8))


def s3net_encoder(spatial_dims: int, in_channels: int) -> nn.Module:
    """S3-Net's encoder with three levels."""
    return S3NetEncoder(S3Net(spatial_dims, in_channels, 3, channels=[4, 6, 8], num_blocks=[0, 1, 1]))


def resnet(spatial_dims: int, in_channels: int) -> nn.Module:
    """MONAI's ResNet-10 without weights."""
    return ResNetFeatures("resnet10", pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels)


def efficientnet(spatial_dims: int, in_channels: int) -> nn.Module:
    """MONAI's EfficientNet-B0 without weights."""
    return EfficientNetBNFeatures(
        "efficientnet-b0", pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels
    )


ENCODERS: dict[str, Callable[[int, int], nn.Module]] = {
    "conv": conv_encoder,
    "s3net": s3net_encoder,
    "resnet": resnet,
    "efficientnet": efficientnet,
}


def conv_unet(spatial_dims: int, *, in_channels: int, out_channels: int, **settings: Any) -> EncoderUNet:
    """A U-Net with the project's own encoder."""
    encoder = conv_encoder(spatial_dims, in_channels)
    return EncoderUNet(
        encoder, spatial_dims=spatial_dims, in_channels=in_channels, out_channels=out_channels, **settings
    )
