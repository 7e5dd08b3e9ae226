"""Two networks that teach each other, for cross pseudo supervision (arXiv 2106.01226)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from s3net_monai.networks.dual_decoder_unet import log_mean_softmax


class CrossPseudoSupervisionNet(nn.Module):
    """Two opinions on every voxel in training, their mean afterwards; they share nothing but the images.

    Args:
        first: gives logits (B, K, X, Y[, Z]); has an ``encoder``.
        second: the like, of other initial weights or another kind.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    @property
    def encoder(self) -> nn.Module:
        """The first network's, which pre-trained weights go to: given to both, they would err alike."""
        return cast(nn.Module, self.first.encoder)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of both in training, else the logarithm of the mean of their softmaxes, (B, K, X, Y[, Z])."""
        a, b = self.first(x), self.second(x)
        return (a, b) if self.training else log_mean_softmax(a, b)
