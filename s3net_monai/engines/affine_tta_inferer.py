"""Test-time augmentation by small rotations and zooms, for images of fixed orientation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor
from torch.nn import functional as F


class AffineTTAInferer(Inferer):
    """Test-time augmentation: mean over rotated and zoomed copies of the image.

    The output of the network on each copy is mapped back before the mean. ``FlipTTAInferer`` is exact, but it needs
    mirror images, and a heart has its right ventricle on one side. Copies are interpolated here: their agreement shows
    where a mask is not stable, at the price of slightly smoother edges.

    Args:
        angles_and_zooms: for each copy the angle in degrees, in the plane of the first two spatial axes, and the zoom
            in that plane; the first should be (0, 1), the image itself.
        base: the inferer that runs the network on one copy.

    Raises:
        ValueError: for a zoom that is not positive, and without any copy.

    Example:
        >>> import torch
        >>> inferer = AffineTTAInferer([(0, 1), (10, 1), (-10, 1)])
        >>> inferer(torch.rand(1, 1, 16, 16), torch.nn.Conv2d(1, 4, 1)).shape
        torch.Size([1, 4, 16, 16])
    """

    def __init__(
        self,
        angles_and_zooms: Sequence[tuple[float, float]] = ((0, 1), (-12, 1), (12, 1), (0, 0.9), (0, 1.1)),
        base: Inferer | None = None,
    ) -> None:
        super().__init__()
        if not angles_and_zooms or min(zoom for _, zoom in angles_and_zooms) <= 0:
            raise ValueError(
                f"angles_and_zooms is {list(angles_and_zooms)}, expected pairs of an angle and a zoom above 0"
            )
        self.angles_and_zooms = angles_and_zooms
        self.base = SimpleInferer() if base is None else base

    def views(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Iterator[Tensor]:
        """Yield the network's output (B, C, X, Y[, Z]) on every copy of the inputs, mapped back."""
        for angle, zoom in self.angles_and_zooms:
            if (angle, zoom) == (0, 1):
                yield self.base(inputs, network, *args, **kwargs)
            else:
                matrix = _copy_to_image(angle, zoom, inputs)
                output = self.base(_resampled(inputs, matrix, "reflection"), network, *args, **kwargs)
                yield _resampled(output, torch.linalg.inv(matrix), "border")

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the mean of the views, (B, C, X, Y[, Z])."""
        views = self.views(inputs, network, *args, **kwargs)
        total = next(views).clone()
        for view in views:
            total += view
        return total / len(self.angles_and_zooms)


def _copy_to_image(angle: float, zoom: float, image: Tensor) -> Tensor:
    """Return the matrix (2, 2) that maps points of the copy to the image.

    Its coordinates are those of ``affine_grid``, last axis first.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    columns, rows = image.shape[3], image.shape[2]
    # Voxels of an oblong image are not square in normalized coordinates.
    matrix = [[cosine, -sine * rows / columns], [sine * columns / rows, cosine]]
    return torch.tensor(matrix, dtype=image.dtype, device=image.device) / zoom


def _resampled(image: Tensor, matrix: Tensor, padding: str) -> Tensor:
    """Return every plane of (B, C, X, Y[, Z]) resampled where the matrix maps its pixels."""
    planes = image.as_subclass(Tensor)
    if image.dim() == 5:
        planes = planes.movedim(4, 1).flatten(0, 1)
    theta = F.pad(matrix, (0, 1)).expand(len(planes), 2, 3)
    grid = F.affine_grid(theta, list(planes.shape), align_corners=False)
    warped = F.grid_sample(planes, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return warped.unflatten(0, (len(image), -1)).movedim(1, 4) if image.dim() == 5 else warped
