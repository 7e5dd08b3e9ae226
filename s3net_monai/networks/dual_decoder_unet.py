"""One encoder and two decoders that differ, as IDEAL's fine-tuning has them (arXiv 2210.15075)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from s3net_monai.networks.encoder import INSTANCE_NORM, feature_levels
from s3net_monai.networks.unet_decoder import UNetDecoder, crop_to_size, pad_to_stride


class DualDecoderUNet(nn.Module):
    """Two opinions on every voxel in training, their mean afterwards.

    The paper does not say how its decoders differ. Here one learns its upsampling (transposed convolutions) and the
    other interpolates: they have different parameters and err differently at edges, so that they agree later.

    In evaluation the result is the logarithm of the mean of both softmaxes. A softmax after it gives that mean back
    exactly, so this network takes the place of ``EncoderUNet`` with nothing else changed. An exported network always
    evaluates.

    Args:
        encoder: see ``EncoderUNet``.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: number of classes, background included.
        upsample: of the first and of the second decoder; see ``EncoderUNet``. Twice the same leaves the decoders
            different by their random initialization only.
        norm: a MONAI normalization layer of the decoders.
        dropout: share of the features that every convolution of the decoders drops in training.
        streams: in training the first half of a batch, one perturbation, goes to the first decoder alone, and the
            second half, the other perturbation of the same images, to the second; so the paper has it, and it halves
            the decoders' work.

    Raises:
        ValueError: when the maps of the encoder are not as described there, or ``upsample`` does not name two; in
            ``forward``, for an odd batch in two streams.
    """

    def __init__(
        self,
        encoder: nn.Module,
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
            UNetDecoder(spatial_dims, channels, strides[0], out_channels, kind, norm, dropout) for kind in upsample
        )
        self.stride, self.streams = strides[-1], streams

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (B, out_channels, X, Y[, Z]) of both decoders in training, else log-probabilities of that shape.

        In two streams the logits are of half the batch each.
        """
        size = list(x.shape[2:])
        maps = self.encoder(pad_to_stride(x, self.stride))
        if not torch.jit.is_scripting():  # noqa: SIM102 - the compiler skips what stands below this line alone
            if self.training and self.streams:
                if len(x) % 2:
                    raise ValueError(f"{len(x)} images in a batch of two streams, expected two perturbations of each")
                first, second = zip(*(found.chunk(2) for found in maps), strict=True)
                return crop_to_size(self.decoder_a(list(first)), size), crop_to_size(self.decoder_b(list(second)), size)
        a, b = crop_to_size(self.decoder_a(maps), size), crop_to_size(self.decoder_b(maps), size)
        if not torch.jit.is_scripting():  # noqa: SIM102
            if self.training:
                return a, b
        return log_mean_softmax(a, b)


def log_mean_softmax(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the mean of the softmaxes of logits (B, K, X, Y[, Z]): a softmax gives that mean back."""
    return torch.logaddexp(torch.log_softmax(a, dim=1), torch.log_softmax(b, dim=1)) - math.log(2)
