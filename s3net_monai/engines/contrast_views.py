"""Two transformed views for contrastive learning, and the correspondence of their pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.engines.two_views import TwoViews
from s3net_monai.losses.affine_consistency import in_bounds_mask


class ContrastViews:
    """A ``prepare_batch`` that makes a query and a key view, and their correspondence.

    It is for MONAI's trainers. Both views are transformed and recolored, independently of each other; ``TwoViews``
    transforms the second alone. The trainer calls ``network(query, key)``, as ``MomentumEncoder`` takes it. ``views``
    gives the random numbers.

    Args:
        views: ranges of the spatial transforms and of the intensity changes.
        image_key: key of the images in a batch.
        regions_key: key of region maps (B, 1, X, Y[, Z]), such as ``Superpixelsd`` adds, whole numbers with 0 for none;
            a batch without it gives views without regions. Numbers above 2**24 are not distinguished.

    Example:
        >>> import torch
        >>> query, target, (key,), _ = ContrastViews()({"image": torch.rand(2, 1, 16, 16)})
        >>> query.shape, key.shape, target["grid"].shape
        (torch.Size([2, 1, 16, 16]), torch.Size([2, 1, 16, 16]), torch.Size([2, 16, 16, 2]))
    """

    def __init__(self, views: TwoViews | None = None, image_key: str = "image", regions_key: str = "regions") -> None:
        self.views = views or TwoViews()
        self.image_key, self.regions_key = image_key, regions_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, dict[str, Tensor], tuple[Tensor], dict[str, Any]]:
        """Return the views of one batch.

        Returns:
            The query (B, C, X, Y[, Z]); the target; the key, alone in a tuple; no keyword arguments. The target holds

            * "grid" (B, X, Y[, Z], D): for every pixel of the key, its position in the query, in the normalized
              coordinates of ``affine_grid``, so that ``warp(query, grid)`` shows what the key shows;
            * "valid" (B, 1, X, Y[, Z]): 1 where that is inside the query and inside the image, else 0;
            * "regions" and "key_regions" (B, 1, X, Y[, Z]) int64, if the batch has regions: those of the query and of
              the key, 0 outside the image.
        """
        image = _tensor(batchdata[self.image_key], device, non_blocking)
        size = [image.shape[0], 1, *image.shape[2:]]
        with self.views.rng_scope():
            matrices = [self.views.affine(image) for _ in range(2)]
            grids = [F.affine_grid(matrix, size, align_corners=False) for matrix in matrices]
            query, key = (self.views.jitter_intensity(warp_image(image, grid)) for grid in grids)
        key_to_query = F.affine_grid(relative_affine(*matrices), size, align_corners=False)
        target = {"grid": key_to_query, "valid": in_bounds_mask(key_to_query) * in_bounds_mask(grids[1])}
        if self.regions_key in batchdata:
            regions = _tensor(batchdata[self.regions_key], device, non_blocking)
            target["regions"], target["key_regions"] = (warp_labels(regions, grid) for grid in grids)
        return query, target, (key,), {}


def relative_affine(first: Tensor, second: Tensor) -> Tensor:
    """Return the matrices (B, D, D + 1) that map points of the second view to the first.

    Args:
        first: matrices (B, D, D + 1) that map points of the first view to the image.
        second: matrices (B, D, D + 1) that map points of the second view to the image.
    """
    linear = torch.linalg.solve(first[..., :-1], second[..., :-1])
    shift = torch.linalg.solve(first[..., :-1], second[..., -1:] - first[..., -1:])
    return torch.cat([linear, shift], dim=-1)


def warp_image(image: Tensor, grid: Tensor) -> Tensor:
    """Return images (B, C, X, Y[, Z]) sampled at ``grid``, mirrored beyond their borders."""
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def warp_labels(labels: Tensor, grid: Tensor, padding: str = "zeros") -> Tensor:
    """Return maps of whole numbers (B, 1, X, Y[, Z]), sampled at ``grid``, as int64.

    The nearest voxel is taken.

    Args:
        labels: the maps.
        grid: normalized sampling grid (B, X, Y[, Z], D).
        padding: "zeros" or "reflection"; the latter goes with ``warp_image``.
    """
    warped = F.grid_sample(labels.to(grid.dtype), grid, mode="nearest", padding_mode=padding, align_corners=False)
    return warped.round().long()


def _tensor(value: Any, device: str | torch.device | None, non_blocking: bool) -> Tensor:
    return torch.as_tensor(value).as_subclass(Tensor).to(device, non_blocking=non_blocking)
