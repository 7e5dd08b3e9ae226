"""S3-Net's encoder alone, in the form that the methods for few labels take."""

from __future__ import annotations

from torch import Tensor, nn

from s3net_monai.networks.s3net import S3Net


class S3NetEncoder(nn.Module):
    """Feature maps of the levels of an S3-Net: convolutions on fine levels, attention blocks on coarse ones.

    The layers are the network's own, not copies: training either trains both. What comes after the coarsest level in
    S3-Net (merging, the deformable convolution, the heads) is its decoder, so no parameter here goes unused.

    Args:
        network: an S3-Net; map i has ``channels[i]`` at stride ``2**i``.
    """

    def __init__(self, network: S3Net) -> None:
        super().__init__()
        self.levels = network.body.levels

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps (B, channels[i], X / 2**i, Y / 2**i[, Z / 2**i]), rounded up, of images (B, C, X, Y[, Z])."""
        maps: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps
