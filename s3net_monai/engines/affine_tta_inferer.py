"""Inference over small turns and zooms, for networks that know images one way up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor
from torch.nn import functional as F


class AffineTTAInferer(Inferer):
    """Mean of a network's answers to turned and zoomed copies of the image, each mapped back.

    ``FlipTTAInferer`` is exact, but asks for mirror images, and a heart has its right ventricle on one side. Copies are
    interpolated here: their agreement tells where a mask is not stable, at the price of slightly smoother edges.

    Args:
        copies: for each copy the angle in degrees, in the plane of the first two spatial axes, and the zoom in it; the
            first should be (0, 1), the image itself.
        base: the inferer that runs the network on one copy.

    Raises:
        ValueError: for a zoom that is not positive, and without any copy.
    """

    def __init__(
        self,
        copies: Sequence[tuple[float, float]] = ((0, 1), (-12, 1), (12, 1), (0, 0.9), (0, 1.1)),
        base: Inferer | None = None,
    ) -> None:
        super().__init__()
        if not copies or min(zoom for _, zoom in copies) <= 0:
            raise ValueError(f"copies are {list(copies)}, expected pairs of an angle and a zoom above 0")
        self.copies = copies
        self.base = SimpleInferer() if base is None else base

    def views(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Iterator[Tensor]:
        """Answers (B, C, X, Y[, Z]) to every copy of the inputs, mapped back."""
        for angle, zoom in self.copies:
            if (angle, zoom) == (0, 1):
                yield self.base(inputs, network, *args, **kwargs)
            else:
                matrix = _turn(angle, zoom, inputs)
                answer = self.base(_sampled(inputs, matrix, "reflection"), network, *args, **kwargs)
                yield _sampled(answer, torch.linalg.inv(matrix), "border")

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Mean of the views, (B, C, X, Y[, Z])."""
        views = self.views(inputs, network, *args, **kwargs)
        total = next(views).clone()
        for view in views:
            total += view
        return total / len(self.copies)


def _turn(angle: float, zoom: float, image: Tensor) -> Tensor:
    """Matrix (2, 2) from the copy to the image in the coordinates of ``affine_grid``, last axis first."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    columns, rows = image.shape[3], image.shape[2]
    # voxels of an oblong image are not square in normalized coordinates
    matrix = [[cosine, -sine * rows / columns], [sine * columns / rows, cosine]]
    return torch.tensor(matrix, dtype=image.dtype, device=image.device) / zoom


def _sampled(image: Tensor, matrix: Tensor, padding: str) -> Tensor:
    """Every plane of (B, C, X, Y[, Z]) sampled where the matrix leads."""
    planes = image.as_subclass(Tensor)
    if image.dim() == 5:
        planes = planes.movedim(4, 1).flatten(0, 1)
    theta = F.pad(matrix, (0, 1)).expand(len(planes), 2, 3)
    grid = F.affine_grid(theta, list(planes.shape), align_corners=False)
    moved = F.grid_sample(planes, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return moved.unflatten(0, (len(image), -1)).movedim(1, 4) if image.dim() == 5 else moved
