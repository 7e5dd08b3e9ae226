"""Two networks that supervise each other: cross pseudo supervision (arXiv 2106.01226)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from s3net_monai.networks.dual_decoder_unet import log_mean_softmax


class CrossPseudoSupervisionNet(nn.Module):
    """Two independent networks: both predictions in training, their mean in evaluation.

    Args:
        first: returns logits (B, K, X, Y[, Z]); has an ``encoder``.
        second: a network with the same output and other initial weights or another architecture.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder, EncoderUNet
        >>> def unet():
        ...     encoder = ConvEncoder(spatial_dims=2, in_channels=1, channels=[4, 8])
        ...     return EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=3)
        >>> network = CrossPseudoSupervisionNet(unet(), unet())
        >>> len(network(torch.rand(2, 1, 16, 12)))
        2
        >>> network.eval()(torch.rand(2, 1, 16, 12)).shape
        torch.Size([2, 3, 16, 12])
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    @property
    def encoder(self) -> nn.Module:
        """Encoder of the first network, which pre-trained weights are loaded into.

        Loaded into both, they would make both networks err in the same places.
        """
        return cast(nn.Module, self.first.encoder)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return both logits in training, else the log of their mean softmax, (B, K, X, Y[, Z])."""
        first, second = self.first(x), self.second(x)
        return (first, second) if self.training else log_mean_softmax(first, second)
