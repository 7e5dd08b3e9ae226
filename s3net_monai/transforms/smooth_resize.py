"""Resampling of 2-D images of any size to a small grid, in the memory of a few lines."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.networks.layers import gaussian_1d
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.transforms.utils import scale_affine
from monai.utils import TraceKeys
from torch.nn import functional as F

TRUNCATED = 4.0  # standard deviations to either side that a smoothing covers, as MONAI's GaussianFilter
GROUP = 16  # lines that are smoothed together; more share more sums, and multiply with more zeros
BLOCK = 128  # pixels across the smoothing that are converted at a time
MAX_PLANE = 2**20  # pixels that are interpolated along both axes at once, in one array of floating point


def resize_smoothly(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Smooth a 2-D image, where it shrinks, and interpolate it linearly.

    The result is that of MONAI's ``Resize`` with ``mode="bilinear"`` and ``anti_aliasing=True``, which smooths every
    pixel, in several copies of the image in floating point. Here the same sums are made for those lines alone between
    which the result interpolates. Up to ``MAX_PLANE`` pixels they are rounded alike, too.

    Args:
        image: (C, X, Y), finite, of any data type.
        size: (X, Y) of the result.

    Returns:
        (C, *size) float32.
    """
    lines = [_interpolated_lines(length, new) for length, new in zip(image.shape[1:], size, strict=True)]
    kernels = [_kernel(length, new) for length, new in zip(image.shape[1:], size, strict=True)]
    is_small = math.prod(image.shape[1:]) <= MAX_PLANE
    smooth = _smoothed if is_small else _smoothed_in_groups
    smoothed = smooth(smooth(image, lines[0], kernels[0]).mT, lines[1], kernels[1]).mT
    if is_small:
        plane = torch.zeros(image.shape, dtype=torch.float32, device=image.device)
        plane[:, lines[0][:, None], lines[1]] = smoothed
        return F.interpolate(plane[None], size=list(size), mode="bilinear")[0]
    smoothed = _interpolated(smoothed, lines[0], image.shape[1], size[0])
    return _interpolated(smoothed.mT, lines[1], image.shape[2], size[1]).mT.contiguous()


def _interpolated_lines(length: int, new: int) -> torch.Tensor:
    """Return the indices of an axis that count in its interpolation to another length, in order."""
    values = torch.ones(1, 1, length, requires_grad=True)
    with torch.enable_grad():
        F.interpolate(values, size=new, mode="linear").sum().backward()
    return cast(torch.Tensor, values.grad)[0, 0].nonzero().flatten()


def _kernel(length: int, new: int) -> torch.Tensor:
    """Return the Gaussian with which MONAI and scikit-image smooth an axis before it shrinks."""
    factor = torch.tensor(float(length)) / torch.tensor(float(new))
    return gaussian_1d(torch.clamp((factor - 1) / 2, min=0), truncated=TRUNCATED, approx="erf")


def _smoothed(image: torch.Tensor, lines: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return the lines X of (C, X, Y) smoothed across; beyond the image lie zeros, as in MONAI's filter."""
    (channels, length, width), margin, weights = image.shape, len(kernel) // 2, kernel.tolist()
    lines = lines.to(image.device)
    result = torch.zeros(len(lines), channels, width, device=image.device)
    padded = torch.zeros(length + 2 * margin, channels, min(width, BLOCK), device=image.device)
    for start in range(0, width, BLOCK):
        block, total = image[:, :, start : start + BLOCK].movedim(1, 0), result[:, :, start : start + BLOCK]
        values = padded[..., : block.shape[2]]
        values[margin : margin + length] = block
        for index, weight in enumerate(weights):
            total.add_(values.index_select(0, lines + index), alpha=weight)
    return result.movedim(0, 1)


def _smoothed_in_groups(image: torch.Tensor, lines: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return what ``_smoothed`` returns but for the last bits, in a fifth of the time: neighbors share their sums.

    The lines of a group are a product of a matrix of weights and of all lines of the image that any of them covers.
    """
    (channels, length, width), margin = image.shape, len(kernel) // 2
    lines, kernel = lines.to(image.device), kernel.to(image.device)
    result = torch.empty(channels, len(lines), width, device=image.device)
    for start in range(0, len(lines), GROUP):
        group = lines[start : start + GROUP, None]
        covered = torch.arange(max(0, int(group[0]) - margin), min(length, int(group[-1]) + margin + 1))
        taps = covered.to(group) - group + margin
        weights = kernel[taps.clamp(0, len(kernel) - 1)].where((taps >= 0) & (taps < len(kernel)), 0.0)
        for channel in range(channels):  # one at a time, since the lines are converted to floating point
            values = image[channel, int(covered[0]) : int(covered[-1]) + 1].float()
            torch.matmul(weights, values, out=result[channel, start : start + GROUP])
    return result


def _interpolated(smoothed: torch.Tensor, lines: torch.Tensor, length: int, new: int) -> torch.Tensor:
    """Interpolate along X an image (C, X, Y) of which only some lines are given."""
    channels, _, width = smoothed.shape
    plane = torch.zeros(channels, length, width, device=smoothed.device)
    plane[:, lines] = smoothed
    return F.interpolate(plane[None], size=[new, width], mode="bilinear")[0]


class SmoothResize(InvertibleTransform):
    """Apply ``resize_smoothly`` to an image (C, X, Y) or to every slice of (C, X, Y, Z).

    The inverse interpolates images (C, X, Y) linearly.

    Args:
        spatial_size: (X, Y) of the result.
    """

    def __init__(self, spatial_size: Sequence[int]) -> None:
        super().__init__()
        self.spatial_size = tuple(spatial_size)

    def __call__(self, img: MetaTensor) -> MetaTensor:
        """Resize (C, X, Y[, Z])."""
        size, affine = tuple(int(length) for length in img.shape[1:]), img.affine.clone()
        planes = img.as_tensor().movedim(3, 0) if len(size) == 3 else img.as_tensor()[None]
        small = torch.stack([resize_smoothly(plane, self.spatial_size) for plane in planes])
        scale = to_affine_nd(len(affine) - 1, scale_affine(size, (*self.spatial_size, *size[2:])))
        result = MetaTensor(small.movedim(0, 3) if len(size) == 3 else small[0]).copy_meta_from(img)
        result.affine = affine @ torch.as_tensor(scale, dtype=affine.dtype)
        return cast(MetaTensor, self.push_transform(result, orig_size=size, extra_info={"affine": affine}))

    def inverse(self, data: MetaTensor) -> MetaTensor:
        """Interpolate to the original size."""
        trace = self.pop_transform(data)
        resize = Resize(spatial_size=trace[TraceKeys.ORIG_SIZE], mode="bilinear")
        with resize.trace_transform(False):
            result = cast(MetaTensor, resize(data))
        result.affine = trace[TraceKeys.EXTRA_INFO]["affine"]
        return result


class SmoothResized(MapTransform, InvertibleTransform):
    """Resize 2-D images as MONAI's ``Resized`` with ``anti_aliasing``, in little memory: see ``resize_smoothly``.

    Args:
        keys: images (C, X, Y), finite.
        spatial_size: (X, Y) of the result.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> resize = SmoothResized("image", spatial_size=(32, 32))
        >>> sample = resize({"image": MetaTensor(torch.full((3, 300, 200), 7, dtype=torch.uint8))})
        >>> sample["image"].shape, resize.inverse(sample)["image"].shape
        (torch.Size([3, 32, 32]), torch.Size([3, 300, 200]))
    """

    def __init__(self, keys: KeysCollection, spatial_size: Sequence[int]) -> None:
        super().__init__(keys)
        self.resize = SmoothResize(spatial_size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with resized images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = self.resize(sample[key])
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Undo the resizing of every key."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = self.resize.inverse(sample[key])
        return sample
