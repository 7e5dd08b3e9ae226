"""Projection heads of contrastive pre-training: one embedding per image or per location."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks.encoder import feature_channels


def projection_mlp(channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """Return the two-layer perceptron that projects features to an embedding."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out_channels))


class GlobalHead(nn.Module):
    """Head of global contrast: the channel maxima of the coarsest map, then two linear layers.

    The usual mean in place of the maximum is nearly the same for every image after instance normalization.
    """

    def __init__(self, channels: Sequence[int], out_channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = projection_mlp(channels[-1], hidden, out_channels)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return unit vectors (B, D) from the coarsest of the encoder's maps (B, C, spatial)."""
        return F.normalize(self.layers(maps[-1].flatten(2).amax(dim=2)), dim=1)


class DenseHead(nn.Module):
    """Head of dense contrast: two 1x1 convolutions at the size of map ``level``.

    The first one also receives the coarser maps, interpolated: map ``level`` alone would leave every coarser level of
    the encoder untrained. At the coarsest level this is the head of IDEAL (arXiv 2210.15075), 1x1 convolutions alone.
    Convolving each map before it is interpolated equals convolving all of them stacked, and costs less.
    """

    def __init__(
        self, spatial_dims: int, channels: Sequence[int], *, level: int, out_channels: int, hidden: int
    ) -> None:
        super().__init__()
        if not -len(channels) <= level < len(channels):
            raise ValueError(f"level is {level}, expected one of the encoder's {len(channels)} maps, counted from 0")
        convolution = Conv["conv", spatial_dims]
        self.level = level % len(channels)
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"
        self.reduce = nn.ModuleList(
            convolution(width, hidden, 1, bias=depth == 0) for depth, width in enumerate(channels[self.level :])
        )
        self.project = nn.Sequential(nn.ReLU(inplace=True), convolution(hidden, out_channels, 1))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the embeddings of all locations.

        Args:
            maps: the encoder's maps (B, C, spatial), finest first.

        Returns:
            Unit vectors (B, D, spatial of map ``level``).
        """
        x = self.reduce[0](maps[self.level])
        for depth, reduce in enumerate(self.reduce[1:], start=1):
            coarse = reduce(maps[self.level + depth])
            x = x + F.interpolate(coarse, size=x.shape[2:], mode=self.mode, align_corners=False)
        return F.normalize(self.project(x), dim=1)


class GlobalProjection(nn.Module):
    """One unit-length embedding per image.

    Args:
        encoder: returns a list of maps, finest first; ``feature_channels`` checks it.
        spatial_dims: 2 or 3.
        in_channels: channels of the image, with the attention mask if the method has one.
        out_channels: length D of an embedding.
        hidden: channels between the two layers.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder
        >>> network = GlobalProjection(ConvEncoder(channels=[4, 8]), spatial_dims=2, in_channels=1, out_channels=16)
        >>> network(torch.rand(3, 1, 16, 12)).shape
        torch.Size([3, 16])
    """

    def __init__(
        self, encoder: nn.Module, spatial_dims: int, in_channels: int, *, out_channels: int = 64, hidden: int = 128
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = GlobalHead(feature_channels(encoder, spatial_dims, in_channels), out_channels, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (B, D) of images (B, C, X, Y[, Z])."""
        return self.head(self.encoder(x))


class DenseProjection(nn.Module):
    """One unit-length embedding at every location of a feature map.

    Args:
        encoder: see ``GlobalProjection``.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        level: the map whose size the result has, counted from 0, the finest; -1 is the coarsest, as in IDEAL. Coarser
            maps contribute, finer ones do not.
        out_channels: length D of an embedding.
        hidden: channels between the two layers.

    Raises:
        ValueError: when the encoder has no such level.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder
        >>> encoder = ConvEncoder(channels=[4, 8])
        >>> network = DenseProjection(encoder, spatial_dims=2, in_channels=1, level=0, out_channels=16)
        >>> network(torch.rand(3, 1, 16, 12)).shape
        torch.Size([3, 16, 16, 12])
    """

    def __init__(
        self,
        encoder: nn.Module,
        spatial_dims: int,
        in_channels: int,
        *,
        level: int = -1,
        out_channels: int = 64,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        channels = feature_channels(encoder, spatial_dims, in_channels)
        self.head = DenseHead(spatial_dims, channels, level=level, out_channels=out_channels, hidden=hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (B, D, spatial of the map) of images (B, C, X, Y[, Z])."""
        return self.head(self.encoder(x))


class GlobalDenseProjection(nn.Module):
    """Embeddings of images and of their locations from one pass of the encoder.

    Args:
        encoder: see ``GlobalProjection``.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        level: see ``DenseProjection``.
        out_channels: length D of an embedding.
        hidden: channels between the two layers of each head.

    Raises:
        ValueError: when the encoder has no such level.

    Example:
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder
        >>> encoder = ConvEncoder(channels=[4, 8])
        >>> network = GlobalDenseProjection(encoder, spatial_dims=2, in_channels=1, out_channels=16)
        >>> {name: tuple(value.shape) for name, value in network(torch.rand(3, 1, 16, 12)).items()}
        {'global': (3, 16), 'dense': (3, 16, 8, 6)}
    """

    def __init__(
        self,
        encoder: nn.Module,
        spatial_dims: int,
        in_channels: int,
        *,
        level: int = -1,
        out_channels: int = 64,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        channels = feature_channels(encoder, spatial_dims, in_channels)
        self.global_head = GlobalHead(channels, out_channels, hidden)
        self.dense_head = DenseHead(spatial_dims, channels, level=level, out_channels=out_channels, hidden=hidden)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return both kinds of embeddings.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            "global", (B, D), and "dense", (B, D, spatial of the map).
        """
        maps = self.encoder(x)
        return {"global": self.global_head(maps), "dense": self.dense_head(maps)}
