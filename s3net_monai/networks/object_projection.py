"""Embeddings of single objects: the encoder's features under each object's attention mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import feature_channels
from s3net_monai.networks.projection import projection_mlp


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of features over a mask.

    Args:
        features: (B, C, ...).
        mask: (B, 1, any spatial size); every location counts by the fraction of it that the mask covers.

    Returns:
        (B, C); the mean over all locations where the mask is empty.
    """
    weight = F.interpolate(mask.float(), size=features.shape[2:], mode="area").to(features.dtype).flatten(2)
    weight = torch.where(weight.sum(dim=2, keepdim=True) > 0, weight, torch.ones_like(weight))
    return (features.flatten(2) * weight).sum(dim=2) / weight.sum(dim=2)


class ObjectProjection(nn.Module):
    """One unit-length embedding per image and object mask, for semantic-aware contrast.

    It is the mean of the coarsest map over the mask, followed by two linear layers. The paper (arXiv 2106.01596) takes
    the mean of the whole map of a network with batch normalization; after instance normalization that mean is nearly
    the same for every image.

    Args:
        encoder: returns a list of maps, finest first. It keeps the name ``encoder`` here so that
            ``engines.load_encoder`` finds it.
        spatial_dims: 2 or 3.
        in_channels: channels of image and mask together.
        out_channels: length D of an embedding.
        hidden: channels between the two layers.

    Example:
        >>> from s3net_monai.networks import ConvEncoder
        >>> encoder = ConvEncoder(spatial_dims=2, in_channels=2, channels=[4, 8])
        >>> network = ObjectProjection(encoder, spatial_dims=2, in_channels=2, out_channels=16)
        >>> image, mask = torch.rand(3, 1, 16, 12), torch.ones(3, 1, 16, 12)
        >>> network(torch.cat([image, mask], dim=1)).shape
        torch.Size([3, 16])
    """

    def __init__(
        self, encoder: nn.Module, spatial_dims: int, in_channels: int, *, out_channels: int = 64, hidden: int = 128
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = projection_mlp(feature_channels(encoder, spatial_dims, in_channels)[-1], hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (B, D) of images (B, C, X, Y[, Z]) whose last channel is the mask."""
        features = self.encoder(x)[-1]
        return F.normalize(self.head(masked_mean(features, x[:, -1:])), dim=1)
