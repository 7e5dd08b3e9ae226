"""A U-Net with one encoder and two different decoders, as in IDEAL (arXiv 2210.15075)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from s3net_monai.networks.encoder import INSTANCE_NORM, feature_levels
from s3net_monai.networks.unet_decoder import UNetDecoder, crop_to_size, pad_to_stride


def log_mean_softmax(first: Tensor, second: Tensor) -> Tensor:
    """Return the logarithm of the mean of two softmaxes of logits (B, K, X, Y[, Z]).

    A softmax of the result gives the mean back.
    """
    return torch.logaddexp(torch.log_softmax(first, dim=1), torch.log_softmax(second, dim=1)) - math.log(2)


class DualDecoderUNet(nn.Module):
    """U-Net with two decoders: both predictions in training, their mean in evaluation.

    The paper does not say how its decoders differ. Here one learns its upsampling (transposed convolutions) and the
    other interpolates: they have different parameters and make different errors at edges, so that they do not agree
    from the start.

    In evaluation the result is the logarithm of the mean of both softmaxes. A softmax of it gives that mean back
    exactly, so this network can replace ``EncoderUNet`` without any other change. An exported network always behaves
    as in evaluation.

    Args:
        encoder: see ``EncoderUNet``.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: number of classes, background included.
        upsample: upsampling of the first and of the second decoder; see ``EncoderUNet``. With the same one twice, the
            decoders differ by their random initialization only.
        norm: a MONAI normalization layer of the decoders.
        dropout: fraction of the features that every convolution of the decoders drops in training.
        streams: in training, the first half of a batch, one perturbation, goes to the first decoder alone, and the
            second half, the other perturbation of the same images, to the second. The paper does so, and it halves
            the decoders' work.

    Raises:
        ValueError: when the maps of the encoder are not as described there, or ``upsample`` is not two names; in
            ``forward``, for an odd batch with ``streams``.

    Example:
        >>> from s3net_monai.networks import ConvEncoder
        >>> encoder = ConvEncoder(spatial_dims=2, in_channels=1, channels=[4, 8])
        >>> network = DualDecoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=3)
        >>> first, second = network(torch.rand(2, 1, 16, 12))
        >>> network.eval()(torch.rand(2, 1, 16, 12)).shape == first.shape == second.shape == (2, 3, 16, 12)
        True
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        upsample: Sequence[str] = ("deconv", "nontrainable"),
        norm: str | tuple = INSTANCE_NORM,
        dropout: float = 0.0,
        streams: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(upsample, str) or len(upsample) != 2:
            raise ValueError(f"upsample is {upsample!r}, expected one name for each of the two decoders")
        channels, strides = feature_levels(encoder, spatial_dims, in_channels)
        self.encoder = encoder
        self.decoder_a, self.decoder_b = (
            UNetDecoder(
                spatial_dims,
                channels,
                stride=strides[0],
                out_channels=out_channels,
                upsample=kind,
                norm=norm,
                dropout=dropout,
            )
            for kind in upsample
        )
        self.stride, self.streams = strides[-1], streams

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of both decoders in training, else log-probabilities.

        Args:
            x: images (B, C, X, Y[, Z]) of any size.

        Returns:
            (B, out_channels, X, Y[, Z]), twice in training; with ``streams``, the logits are of half the batch each.
        """
        size = list(x.shape[2:])
        maps = self.encoder(pad_to_stride(x, self.stride))
        if not torch.jit.is_scripting():  # noqa: SIM102 - the compiler skips only what is nested under this very line
            if self.training and self.streams:
                if len(x) % 2:
                    raise ValueError(f"{len(x)} images in a batch of two streams, expected two perturbations of each")
                halves = zip(*(feature_map.chunk(2) for feature_map in maps), strict=True)
                first, second = (list(half) for half in halves)
                return crop_to_size(self.decoder_a(first), size), crop_to_size(self.decoder_b(second), size)
        a, b = crop_to_size(self.decoder_a(maps), size), crop_to_size(self.decoder_b(maps), size)
        if not torch.jit.is_scripting():  # noqa: SIM102 - as above
            if self.training:
                return a, b
        return log_mean_softmax(a, b)
