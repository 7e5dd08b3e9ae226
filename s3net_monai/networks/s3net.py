"""S3-Net: "Self-supervised Semantic Segmentation: Consistency over Transformation", arXiv 2309.00143."""

from __future__ import annotations

from collections.abc import Sequence

from monai.utils import ensure_tuple, ensure_tuple_rep
from torch import Tensor, nn

from benchmarks.original_s3net.network import OriginalS3Net
from s3net_monai.networks.pyramid import DEFORMABLE, PyramidBody


class S3Net(nn.Module):
    """Cluster scores of every voxel, by inception large-kernel attention and a deformable convolution.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        num_clusters: number of clusters K.
        channels: width, or the width of every level of a pyramid, finest first.
        num_blocks: attention blocks, or those of every level.
        variant: "corrected" predicts the deformable convolution from the features and takes any size and batch;
            "faithful" is the arithmetic of the authors' code (there ``channels`` must equal ``num_clusters``).
        norm: a MONAI normalization layer of the corrected variant.
        image_size: the fixed image size of the faithful variant, and of free offsets.
        attention: False takes inception large-kernel attention out of the corrected variant, for comparison.
        deformable: of the corrected variant: "predicted" offsets; "free" ones of one image size, as the authors have
            them; or "none", a plain convolution.

    Raises:
        ValueError: when the arguments contradict one another.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 3,
        num_clusters: int = 8,
        channels: int | Sequence[int] = 64,
        num_blocks: int | Sequence[int] = 2,
        variant: str = "corrected",
        norm: str | tuple = "batch",
        image_size: int | Sequence[int] = 256,
        attention: bool = True,
        deformable: str = "predicted",
    ) -> None:
        super().__init__()
        widths, blocks = ensure_tuple(channels), ensure_tuple(num_blocks)
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims is {spatial_dims}, expected 2 or 3")
        if len(widths) != len(blocks):
            raise ValueError(f"channels has {len(widths)} levels and num_blocks {len(blocks)}; give one number a level")
        if sum(blocks) < 1:
            raise ValueError(f"num_blocks is {num_blocks}, expected at least one attention block")
        if deformable not in DEFORMABLE:
            raise ValueError(f"deformable is {deformable!r}, expected one of {', '.join(DEFORMABLE)}")
        size = ensure_tuple_rep(image_size, spatial_dims)
        self.num_clusters = num_clusters
        self.body: nn.Module
        if variant == "faithful":
            if widths != (num_clusters,):
                raise ValueError(f"faithful S3Net has one width for all layers: channels {channels} != {num_clusters}")
            self.body = OriginalS3Net(spatial_dims, in_channels, num_clusters, blocks[0], size)
        elif variant == "corrected":
            self.body = PyramidBody(
                spatial_dims, in_channels, num_clusters, widths, blocks, norm, attention, deformable, size
            )
        else:
            raise ValueError(f"variant is {variant!r}, expected 'corrected' or 'faithful'")

    def forward(self, x: Tensor) -> Tensor:
        """Cluster logits (B, K, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return self.heads(x)[0]

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cluster logits of the main and of the auxiliary branch, both (B, K, X, Y[, Z])."""
        main, auxiliary = self.body(x)
        return main, auxiliary
