"""The loss of the S3-Net authors' public code, arXiv 2309.00143."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.spatial_consistency import sobel

_PALETTE_SIZE = 100


class OriginalAffineLoss(_Loss):
    """Cross-entropy CE(Ra, argmax Ro) with a rotation R of both heads, main o and auxiliary a.

    R rotates by 90 degrees. The image is never rotated, and R moves both arguments of a mean over pixels alike, so the
    value is that of CE(a, argmax o) for any R: the term does not demand equivariance.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor, auxiliary: Tensor) -> Tensor:
        """Return the loss of main and auxiliary cluster logits, (B, K, X, Y[, Z]) each."""
        return F.cross_entropy(auxiliary.rot90(1, (2, 3)), input.rot90(1, (2, 3)).argmax(dim=1))


class OriginalSpatialLoss(_Loss):
    """Mean |Sy-Sx| + |Sxy-Sx| + |Sxy-Sy| of the argmax map painted in random colors.

    An argmax has no gradient, so this term changes the printed value and not what the network learns. The colors are
    drawn once, in [0, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.palette = torch.rand(_PALETTE_SIZE, 3, generator=torch.Generator().manual_seed(0))

    def forward(self, input: Tensor) -> Tensor:
        """Return the loss of cluster logits (B, K, X, Y), K at most 100."""
        painted = self.palette.to(input)[input.argmax(dim=1)].movedim(-1, 1)
        along_x, along_y, mixed = sobel(painted, (0,)), sobel(painted, (1,)), sobel(painted, (0, 1))
        return (along_y - along_x).abs().mean() + (mixed - along_x).abs().mean() + (mixed - along_y).abs().mean()


class OriginalLoss(_Loss):
    """Self-clustering, affine and spatial terms as in the authors' code.

    Args:
        self_clustering: weight of CE(o, argmax o).
        affine: weight of ``OriginalAffineLoss``.
        spatial: weight of ``OriginalSpatialLoss``.
    """

    def __init__(self, *, self_clustering: float = 3.5, affine: float = 0.2, spatial: float = 4.0) -> None:
        super().__init__()
        self.weights = (self_clustering, affine, spatial)
        self.affine = OriginalAffineLoss()
        self.spatial = OriginalSpatialLoss()

    def forward(self, input: Tensor, auxiliary: Tensor) -> Tensor:
        """Return the loss of main and auxiliary cluster logits, (B, K, X, Y) each."""
        clustering, affine, spatial = self.weights
        return (
            clustering * F.cross_entropy(input, input.argmax(dim=1))
            + affine * self.affine(input, auxiliary)
            + spatial * self.spatial(input)
        )
