"""Embeddings of one object of an image: what the encoder says where the object's attention mask lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import feature_channels
from s3net_monai.networks.projection import projection_mlp


class ObjectProjection(nn.Module):
    """One embedding of length 1 for every (image, mask of one object), for semantic-aware contrast.

    The mean of the coarsest map over the mask, then two linear layers. The paper (arXiv 2106.01596) takes the mean of
    the whole map behind a network with batch normalization; behind instance normalization that mean is nearly the same
    for every image.

    Args:
        encoder: gives a list of maps, finest first; it keeps its name here, so that ``load_encoder`` finds it.
        spatial_dims: 2 or 3.
        in_channels: channels of image and mask together.
        out_channels: length D of an embedding.
        hidden: channels between both layers.
    """

    def __init__(
        self, encoder: nn.Module, spatial_dims: int, in_channels: int, out_channels: int = 64, hidden: int = 128
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = projection_mlp(feature_channels(encoder, spatial_dims, in_channels)[-1], hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D) of images with their mask as the last channel, (B, C, X, Y[, Z])."""
        features = self.encoder(x)[-1]
        return F.normalize(self.head(masked_mean(features, x[:, -1:])), dim=1)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Mean of features (B, C, ...) over a mask (B, 1, ...) of any size, by its share of every location; (B, C).

    The mean of all locations where the mask is empty.
    """
    share = F.interpolate(mask.float(), size=features.shape[2:], mode="area").to(features.dtype).flatten(2)
    share = torch.where(share.sum(dim=2, keepdim=True) > 0, share, torch.ones_like(share))
    return (features.flatten(2) * share).sum(dim=2) / share.sum(dim=2)
