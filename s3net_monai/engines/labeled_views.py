"""Images and their labels under random spatial transforms and intensity changes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from s3net_monai.engines.contrast_views import warp_image, warp_labels
from s3net_monai.engines.two_views import TwoViews


class LabeledViews:
    """A ``prepare_batch`` that transforms every image at random, and its label with it.

    It is for MONAI's trainers.

    Args:
        views: ranges of the spatial transforms and of the intensity changes; it gives the random numbers.
        image_key: key of the images (B, C, X, Y[, Z]) in a batch.
        label_key: key of the labels (B, 1, X, Y[, Z]).

    Example:
        >>> import torch
        >>> batch = {"image": torch.rand(2, 3, 16, 16), "label": torch.ones(2, 1, 16, 16)}
        >>> view, label = LabeledViews()(batch)
        >>> view.shape, label.shape, label.dtype
        (torch.Size([2, 3, 16, 16]), torch.Size([2, 1, 16, 16]), torch.int64)
    """

    def __init__(self, views: TwoViews | None = None, image_key: str = "image", label_key: str = "label") -> None:
        self.views = views or TwoViews()
        self.image_key, self.label_key = image_key, label_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the views of one batch.

        Returns:
            Views (B, C, X, Y[, Z]), mirrored beyond the border of the image, and classes (B, 1, X, Y[, Z]) int64.
        """
        image, label = (
            torch.as_tensor(batchdata[key]).as_subclass(Tensor).to(device, non_blocking=non_blocking)
            for key in (self.image_key, self.label_key)
        )
        with self.views.rng_scope():
            grid = self.views.grid(image)
            view = self.views.jitter_intensity(warp_image(image, grid))
        return view, warp_labels(label, grid, "reflection")
