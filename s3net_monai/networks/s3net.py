"""S3-Net: "Self-supervised Semantic Segmentation: Consistency over Transformation", arXiv 2309.00143."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.utils import ensure_tuple
from torch import Tensor, nn

from s3net_monai.networks.pyramid import PyramidBody


class S3Net(nn.Module):
    """Cluster logits per voxel, by inception large-kernel attention and a deformable convolution.

    The deformable convolution predicts its offsets from the features, so that the network takes any image size and
    batch size; the authors' public code, whose offsets are parameters of one image size, is
    ``benchmarks.original_s3net.OriginalS3Net``.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        num_clusters: number of clusters K.
        channels: width, or the width per level of a pyramid, finest first.
        num_blocks: number of attention blocks, or the number per level; 0 means one plain convolution.
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
        """Return the layers; an ablation overrides it."""
        return PyramidBody(**arguments)

    def forward(self, x: Tensor) -> Tensor:
        """Return cluster logits (B, K, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return self.heads(x)[0]

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return cluster logits of the main and of the auxiliary branch, both (B, K, X, Y[, Z])."""
        main, auxiliary = self.body(x)
        return main, auxiliary
