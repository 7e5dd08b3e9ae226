"""S3-Net and its encoder.

"Self-supervised Semantic Segmentation: Consistency over Transformation", arXiv 2309.00143.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.utils import ensure_tuple
from torch import Tensor, nn

from s3net_monai.networks.pyramid import PyramidBody


class S3Net(nn.Module):
    """Label-free segmentation network: cluster logits for every voxel.

    It consists of inception large-kernel attention and a deformable convolution. The latter predicts its offsets from
    the features, so the network takes any image size and batch size. In the authors' public code the offsets are
    parameters of one image size; that version is ``benchmarks.original_s3net.network.OriginalS3Net``.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        num_clusters: number of clusters K.
        channels: width, or the width of every level of a pyramid, finest first.
        num_blocks: number of attention blocks, or the number on every level; 0 means one plain convolution.
        norm: a MONAI normalization layer.

    Raises:
        ValueError: when the arguments contradict one another.

    Example:
        >>> import torch
        >>> network = S3Net(spatial_dims=2, in_channels=3, num_clusters=4, channels=[8, 16], num_blocks=[0, 1])
        >>> network(torch.rand(2, 3, 20, 25)).shape
        torch.Size([2, 4, 20, 25])
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 3,
        num_clusters: int = 8,
        *,
        channels: int | Sequence[int] = 64,
        num_blocks: int | Sequence[int] = 2,
        norm: str | tuple = "batch",
    ) -> None:
        super().__init__()
        widths, blocks = ensure_tuple(channels), ensure_tuple(num_blocks)
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims is {spatial_dims}, expected 2 or 3")
        if len(widths) != len(blocks):
            raise ValueError(
                f"channels has {len(widths)} levels and num_blocks {len(blocks)}; give one number per level"
            )
        if sum(blocks) < 1:
            raise ValueError(f"num_blocks is {num_blocks}, expected at least one attention block")
        self.num_clusters = num_clusters
        self.body = self.make_body(
            spatial_dims=spatial_dims,
            in_channels=in_channels,
            num_clusters=num_clusters,
            channels=widths,
            num_blocks=blocks,
            norm=norm,
        )

    def make_body(self, **arguments: Any) -> PyramidBody:
        """Return the layers.

        An ablation overrides this method.
        """
        return PyramidBody(**arguments)

    def forward(self, x: Tensor) -> Tensor:
        """Return cluster logits (B, K, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return self.body.main(x)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return cluster logits of the main and of the auxiliary branch, both (B, K, X, Y[, Z])."""
        main, auxiliary = self.body(x)
        return main, auxiliary


class S3NetEncoder(nn.Module):
    """The levels of an S3-Net as an encoder, in the form that label-efficient methods take.

    Fine levels are convolutions, coarse ones have attention blocks. The layers are the network's own, not copies, so
    training one trains the other. What follows the coarsest level in S3-Net (merging, the deformable convolution, the
    heads) is its decoder, so every parameter here is used.

    Args:
        network: an S3-Net; map i has ``channels[i]`` channels at stride ``2**i``.

    Example:
        >>> import torch
        >>> network = S3Net(spatial_dims=2, in_channels=1, channels=[4, 8], num_blocks=[0, 1])
        >>> [tuple(feature_map.shape) for feature_map in S3NetEncoder(network)(torch.rand(2, 1, 15, 12))]
        [(2, 4, 15, 12), (2, 8, 8, 6)]
    """

    def __init__(self, network: S3Net) -> None:
        super().__init__()
        self.levels = network.body.levels

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps of images.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            Maps (B, channels[i], X / 2**i, Y / 2**i[, Z / 2**i]), sizes rounded up.
        """
        maps: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps
