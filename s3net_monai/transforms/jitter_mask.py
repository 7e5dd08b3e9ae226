"""Random perturbation of masks, to simulate an attention mask that another segmenter drew."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MIN_FRACTION = 0.25  # of a mask that an erosion must leave


def jitter_masks(
    mask: Tensor,
    *,
    shift: float = 0.03,
    scale: float = 0.1,
    radius: int = 2,
    elastic: float = 0.02,
) -> Tensor:
    """Return every mask with a random change of position, size and shape.

    Each mask is shifted, scaled about its own center, bent, and dilated or eroded, independently of the others. Random
    numbers come from torch's global generator.

    Args:
        mask: (B, 1, X, Y[, Z]) of 0 and 1.
        shift: largest shift along each axis, as a fraction of the image size.
        scale: largest relative change of size, either way.
        radius: largest dilation or erosion in pixels, by a square in the plane of the first two axes. An erosion that
            would leave less than a quarter of the mask is skipped, so that thin walls survive.
        elastic: largest bend along each axis, as a fraction of the image size.

    Returns:
        As ``mask``. A mask that would vanish stays as it was.

    Example:
        >>> import torch
        >>> mask = torch.zeros(2, 1, 32, 32)
        >>> mask[..., 8:24, 8:24] = 1
        >>> jittered = jitter_masks(mask, shift=0.1)
        >>> jittered.shape, jittered.unique().tolist()
        (torch.Size([2, 1, 32, 32]), [0.0, 1.0])
    """
    count, dims = mask.shape[0], mask.dim() - 2
    exact = mask.float()

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(count, *shape) - 1).to(exact)

    size = [count, 1, *mask.shape[2:]]
    grid = F.affine_grid(torch.eye(dims, dims + 1).to(exact).repeat(count, 1, 1), size, align_corners=False)
    center = _center(exact, grid)
    zoom = torch.exp(uniform(*[1] * (dims + 1)) * math.log1p(scale))
    bend = F.interpolate(
        2 * elastic * uniform(dims, *[4] * dims),
        size=mask.shape[2:],
        mode="bilinear" if dims == 2 else "trilinear",
        align_corners=True,
    ).movedim(1, -1)
    source = center + (grid - center) * zoom + 2 * shift * uniform(*[1] * dims, dims) + bend
    warped = (F.grid_sample(exact, source, mode="bilinear", align_corners=False) > 0.5).to(exact)
    radii = torch.randint(-radius, radius + 1, (count,)).tolist()
    jittered = torch.cat([_dilate(single[None], signed) for single, signed in zip(warped, radii, strict=True)])
    vanished = jittered.flatten(1).sum(dim=1) == 0
    return torch.where(vanished.view(-1, *[1] * (dims + 1)), exact, jittered).to(mask.dtype)


def _center(mask: Tensor, grid: Tensor) -> Tensor:
    """Return every mask's center in normalized coordinates, (B, 1, ..., D).

    An empty mask has the image's center.
    """
    weight = mask.movedim(1, -1)
    axes = tuple(range(1, grid.dim() - 1))
    return (grid * weight).sum(axes, keepdim=True) / weight.sum(axes, keepdim=True).clamp_min(1)


def _dilate(mask: Tensor, radius: int) -> Tensor:
    """Dilate by a positive radius, erode by a negative one."""
    if radius == 0:
        return mask
    dims = mask.dim() - 2
    kernel = [2 * abs(radius) + 1] * 2 + [1] * (dims - 2)
    margin = [side // 2 for side in kernel]
    pool = F.max_pool2d if dims == 2 else F.max_pool3d
    if radius > 0:
        return pool(mask, kernel, stride=1, padding=margin)
    eroded = 1 - pool(1 - mask, kernel, stride=1, padding=margin)
    return eroded if eroded.sum() >= MIN_FRACTION * mask.sum() else mask
