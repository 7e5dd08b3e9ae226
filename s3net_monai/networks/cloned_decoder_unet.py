"""A trained U-Net with a copy of its decoder, for semi-supervised fine-tuning."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from s3net_monai.networks.encoder_unet import EncoderUNet
from s3net_monai.networks.unet_decoder import crop_to_size, pad_to_stride


class ClonedDecoderUNet(nn.Module):
    """The decoder of ``network`` and a clone of it that exists during training only.

    A second decoder with random weights would give wrong pseudo-labels at first, and there are too few corrected
    masks to wait until it improves. The clone starts as good as the decoder itself and diverges from it because it
    sees another perturbation of every image: the first half of a batch goes to the decoder, the second half to the
    clone, as in ``DualDecoderUNet`` with ``streams``. The weights to keep are those of ``network``, so the bundle's
    own inference config loads them unchanged.

    Args:
        network: the U-Net with its trained weights loaded; its decoder is copied here.

    Raises:
        ValueError: in ``forward``, for an odd batch.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder, EncoderUNet
        >>> encoder = ConvEncoder(spatial_dims=2, in_channels=1, channels=[4, 8])
        >>> network = EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=3)
        >>> first, second = ClonedDecoderUNet(network)(torch.rand(4, 1, 16, 12))
        >>> first.shape, second.shape
        (torch.Size([2, 3, 16, 12]), torch.Size([2, 3, 16, 12]))
    """

    def __init__(self, network: EncoderUNet) -> None:
        super().__init__()
        self.network = network
        self.twin = copy.deepcopy(network.decoder)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the decoder and of its clone, each for its half of the batch.

        Args:
            x: images (B, C, X, Y[, Z]), first B / 2 under one perturbation, then the same B / 2 under another.

        Returns:
            Logits (B / 2, out_channels, X, Y[, Z]) of the decoder and of the clone.
        """
        if len(x) % 2:
            raise ValueError(f"{len(x)} images in a batch of two streams, expected two perturbations of each")
        size = list(x.shape[2:])
        maps = self.network.encoder(pad_to_stride(x, self.network.stride))
        first_maps, second_maps = zip(*(feature_map.chunk(2) for feature_map in maps), strict=True)
        first, second = self.network.decoder(list(first_maps)), self.twin(list(second_maps))
        return crop_to_size(first, size), crop_to_size(second, size)
