"""Images and their labels, moved together and recolored at random."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from s3net_monai.engines.contrast_views import warp_image, warp_labels
from s3net_monai.engines.two_views import TwoViews


class LabeledViews:
    """A ``prepare_batch`` for MONAI's trainers: one random view of every image, and its label moved with it.

    Args:
        views: ranges of moves and colors; chance is that of ``views``.
        image_key: key of the images (B, C, X, Y[, Z]) in a batch.
        label_key: key of the labels (B, 1, X, Y[, Z]).
    """

    def __init__(self, views: TwoViews | None = None, image_key: str = "image", label_key: str = "label") -> None:
        self.views = views or TwoViews()
        self.image_key, self.label_key = image_key, label_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Views (B, C, X, Y[, Z]), past their border their own mirror image, and classes (B, 1, X, Y[, Z]) int64."""
        image, label = (
            torch.as_tensor(batchdata[key]).as_subclass(Tensor).to(device, non_blocking=non_blocking)
            for key in (self.image_key, self.label_key)
        )
        with self.views.rng_scope():
            grid = self.views.grid(image)
            view = self.views.jitter_intensity(warp_image(image, grid))
        return view, warp_labels(label, grid, "reflection")
