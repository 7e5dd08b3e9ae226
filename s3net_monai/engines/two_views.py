"""Two views of a batch: the images, and the images transformed and recolored at random."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class TwoViews:
    """A ``prepare_batch`` for MONAI's trainers that needs no label: two views of every image.

    The first view is the image, the second is transformed and recolored at random. Rotation and shear act in the plane
    of the first two spatial axes, scale and flips on all axes, so that a volume is never tilted against its third axis.
    Random numbers come from torch's global generator, unless a seed gives every batch the same transformations, as
    validation needs.

    Args:
        rotate: largest rotation in degrees, either way.
        scale: largest relative change of scale, either way (0.25: 0.8 to 1.25).
        shear: largest shear.
        translate: largest shift as a fraction of the image size.
        flip: probability of a flip of each axis.
        gain: largest relative change of the contrast of every channel.
        bias: largest shift of the brightness of every channel.
        noise: largest standard deviation of Gaussian noise.
        image_key: key of the images in a batch.
        weak_label_key: key of the weak labels; a batch without them gives views without them.
        seed: see above.

    Example:
        >>> import torch
        >>> views, target = TwoViews(rotate=15)({"image": torch.rand(2, 3, 16, 20)})
        >>> views.shape, target["grid"].shape
        (torch.Size([4, 3, 16, 20]), torch.Size([2, 16, 20, 2]))
    """

    def __init__(
        self,
        *,
        rotate: float = 180.0,
        scale: float = 0.25,
        shear: float = 0.1,
        translate: float = 0.1,
        flip: float = 0.5,
        gain: float = 0.2,
        bias: float = 0.1,
        noise: float = 0.03,
        image_key: str = "image",
        weak_label_key: str = "weak_label",
        seed: int | None = None,
    ) -> None:
        self.rotate, self.scale, self.shear, self.translate, self.flip = rotate, scale, shear, translate, flip
        self.gain, self.bias, self.noise = gain, bias, noise
        self.image_key, self.weak_label_key, self.seed = image_key, weak_label_key, seed

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the views of one batch.

        Returns:
            Both views (2B, C, X, Y[, Z]), and {"image": both views, "grid": (B, X, Y[, Z], D), "weak_label": (B, 1,
            ...)}; the grid gives for every voxel of the second view its position in the first.
        """
        image = torch.as_tensor(batchdata[self.image_key]).as_subclass(Tensor).to(device, non_blocking=non_blocking)
        with self.rng_scope():
            grid = self.grid(image)
            warped = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
            views = torch.cat([image, self.jitter_intensity(warped)])
        target = {"image": views, "grid": grid}
        if self.weak_label_key in batchdata:
            weak_label = (
                torch.as_tensor(batchdata[self.weak_label_key])
                .as_subclass(Tensor)
                .to(device, non_blocking=non_blocking)
            )
            target["weak_label"] = weak_label.to(image.dtype)
        return views, target

    @contextmanager
    def rng_scope(self) -> Iterator[None]:
        """Take the random numbers of a block from ``seed``, or from torch's global generator."""
        with torch.random.fork_rng(devices=[], enabled=self.seed is not None):
            if self.seed is not None:
                torch.default_generator.manual_seed(self.seed)  # torch.manual_seed would reseed every GPU for good
            yield

    def grid(self, image: Tensor) -> Tensor:
        """Return random normalized sampling grids (B, X, Y[, Z], D) for images (B, C, X, Y[, Z])."""
        return F.affine_grid(self.affine(image), [image.shape[0], 1, *image.shape[2:]], align_corners=False)

    def affine(self, image: Tensor) -> Tensor:
        """Return random matrices (B, D, D + 1), in the coordinates of ``affine_grid``.

        Args:
            image: (B, C, X, Y[, Z]).
        """
        count, size = image.shape[0], image.shape[2:]
        dims = len(size)
        angle = torch.deg2rad(_uniform(count, self.rotate))
        matrix = torch.eye(dims).repeat(count, 1, 1)
        matrix[:, 0, 0], matrix[:, 0, 1] = angle.cos(), -angle.sin()
        matrix[:, 1, 0], matrix[:, 1, 1] = angle.sin(), angle.cos()
        shear = torch.eye(dims).repeat(count, 1, 1)
        shear[:, 0, 1] = _uniform(count, self.shear)
        zoom = torch.exp(_uniform(count, math.log1p(self.scale)))[:, None, None]
        signs = 1.0 - 2.0 * (torch.rand(count, 1, dims) < self.flip)
        matrix = matrix @ shear * zoom * signs
        # Voxels of a non-square image are not square in normalized coordinates.
        extent = torch.tensor(size, dtype=matrix.dtype)
        matrix = matrix * extent[None, None, :] / extent[None, :, None]
        shift = 2 * _uniform(count * dims, self.translate).reshape(count, dims, 1)
        return torch.cat([matrix.flip(1, 2), shift], dim=2).to(image)  # affine_grid wants the last axis first

    def jitter_intensity(self, image: Tensor) -> Tensor:
        """Return the images with random contrast, brightness and noise, per channel."""
        per_channel = [image.shape[0], image.shape[1]] + [1] * (image.dim() - 2)
        channel_count = image.shape[0] * image.shape[1]
        gain = 1 + _uniform(channel_count, self.gain).reshape(per_channel).to(image)
        bias = _uniform(channel_count, self.bias).reshape(per_channel).to(image)
        noise_level = self.noise * torch.rand([image.shape[0]] + [1] * (image.dim() - 1)).to(image)
        mean = image.mean(dim=tuple(range(2, image.dim())), keepdim=True)
        return (image - mean) * gain + mean + bias + noise_level * torch.randn(image.shape).to(image)


def _uniform(count: int, limit: float) -> Tensor:
    return (2 * torch.rand(count) - 1) * limit
