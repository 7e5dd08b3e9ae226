"""A U-Net over any encoder that returns feature maps."""

from __future__ import annotations

from torch import Tensor, nn

from s3net_monai.networks.encoder import INSTANCE_NORM, feature_levels
from s3net_monai.networks.unet_decoder import UNetDecoder, crop_to_size, pad_to_stride


class EncoderUNet(nn.Module):
    """U-Net with a given encoder; the logits have the size of the image, whatever that is.

    Args:
        encoder: returns a list of maps (B, C_i, X_i, Y_i[, Z_i]), finest first, each half the size of the one before.
            It keeps the name ``encoder`` here so that ``engines.load_encoder`` finds it.
        spatial_dims: 2 or 3.
        in_channels: channels of the image, with the attention mask if the method has one.
        out_channels: number of classes, background included.
        upsample: "deconv", "nontrainable" or "pixelshuffle"; see MONAI's ``UpSample``.
        norm: a MONAI normalization layer of the decoder.
        dropout: fraction of the features that every convolution of the decoder drops in training.

    Raises:
        ValueError: when the maps of the encoder are not as described.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder
        >>> encoder = ConvEncoder(spatial_dims=2, in_channels=1, channels=[4, 8])
        >>> network = EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=3)
        >>> network(torch.rand(2, 1, 15, 12)).shape
        torch.Size([2, 3, 15, 12])
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        upsample: str = "deconv",
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, strides = feature_levels(encoder, spatial_dims, in_channels)
        self.encoder = encoder
        self.decoder = UNetDecoder(
            spatial_dims,
            channels,
            stride=strides[0],
            out_channels=out_channels,
            upsample=upsample,
            norm=norm,
            dropout=dropout,
        )
        self.stride = strides[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, out_channels, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        logits = self.decoder(self.encoder(pad_to_stride(x, self.stride)))
        return crop_to_size(logits, list(x.shape[2:]))
