"""Small encoders of every kind that the methods for few labels take: ours, S3-Net's, and two of MONAI's."""

from __future__ import annotations

from collections.abc import Callable

from monai.networks.nets import EfficientNetBNFeatures, ResNetFeatures
from torch import nn

from s3net_monai.networks import ConvEncoder, S3Net, S3NetEncoder


def conv_encoder(spatial_dims: int, in_channels: int) -> nn.Module:
    return ConvEncoder(spatial_dims, in_channels, channels=(4, 6, 8))


def s3net_encoder(spatial_dims: int, in_channels: int) -> nn.Module:
    return S3NetEncoder(S3Net(spatial_dims, in_channels, 3, channels=[4, 6, 8], num_blocks=[0, 1, 1]))


def resnet(spatial_dims: int, in_channels: int) -> nn.Module:
    return ResNetFeatures("resnet10", pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels)


def efficientnet(spatial_dims: int, in_channels: int) -> nn.Module:
    return EfficientNetBNFeatures(
        "efficientnet-b0", pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels
    )


ENCODERS: dict[str, Callable[[int, int], nn.Module]] = {
    "conv": conv_encoder,
    "s3net": s3net_encoder,
    "resnet": resnet,
    "efficientnet": efficientnet,
}
