"""A trained decoder and a copy of it as two opinions on the classes, for fine-tuning with labels."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from s3net_monai.networks.encoder_unet import EncoderUNet
from s3net_monai.networks.unet_decoder import crop_to_size, pad_to_stride


class ClonedDecoderUNet(nn.Module):
    """Logits of the decoder of ``network``, and of a copy that leaves with the training.

    A second decoder with random weights would begin by teaching nonsense, and corrections are too few to wait for it.
    The copy begins as good as the decoder itself, and becomes another since it meets another perturbation of every
    image: the first half of a batch goes to the decoder, the second half to the copy, as in ``DualDecoderUNet`` with
    streams. The weights stay those of ``network``, so that the bundle's own inference loads them as they are.

    Args:
        network: with its trained weights loaded, which are copied here.

    Raises:
        ValueError: in ``forward``, for an odd batch.
    """

    def __init__(self, network: EncoderUNet) -> None:
        super().__init__()
        self.network = network
        self.twin = copy.deepcopy(network.decoder)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B / 2, out_channels, X, Y[, Z]) of the decoder and of its twin for images (B, C, X, Y[, Z])."""
        if len(x) % 2:
            raise ValueError(f"{len(x)} images in a batch of two streams, expected two perturbations of each")
        size = list(x.shape[2:])
        maps = self.network.encoder(pad_to_stride(x, self.network.stride))
        first, second = zip(*(found.chunk(2) for found in maps), strict=True)
        return crop_to_size(self.network.decoder(list(first)), size), crop_to_size(self.twin(list(second)), size)
