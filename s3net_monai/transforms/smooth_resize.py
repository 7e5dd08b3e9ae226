"""Resampling of 2-D images of any size to a small grid, in the memory of a few lines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.networks.layers import gaussian_1d
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.transforms.utils import scale_affine
from monai.utils import TraceKeys

TRUNCATED = 4.0  # standard deviations to either side that a smoothing covers, as MONAI's GaussianFilter
GROUP = 8  # lines of the result that are made together; more share more sums, and multiply with more zeros


def resize_smoothly(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Smooth a 2-D image, where it shrinks, and interpolate it linearly.

    The result is that of MONAI's ``Resize`` with ``mode="bilinear"`` and ``anti_aliasing=True`` but for the last bits.
    That smooths every pixel, in several copies of the image in floating point; here a line of the result is one
    weighted sum of lines of the image.

    Args:
        image: (C, X, Y), finite, of any data type.
        size: (X, Y) of the result.

    Returns:
        (C, *size) float32.
    """
    return _shortened(_shortened(image, size[0]).mT, size[1]).mT.contiguous()


def _shortened(image: torch.Tensor, new: int) -> torch.Tensor:
    """Smooth and interpolate an image (C, X, Y) along X, into (C, new, Y) float32."""
    channels, length, width = image.shape
    result = torch.empty(channels, new, width, device=image.device)
    for start, (covered, weights) in zip(range(0, new, GROUP), _weights(length, new), strict=True):
        weights = weights.to(image.device)
        for channel in range(channels):  # one at a time, since the lines are converted to floating point
            torch.matmul(weights, image[channel, covered].float(), out=result[channel, start : start + GROUP])
    return result


@lru_cache(maxsize=16)  # pictures of a folder have few sizes
def _weights(length: int, new: int) -> tuple[tuple[slice, torch.Tensor], ...]:
    """Return for each group of lines of the result the lines of the image that it covers, and their weights.

    Args:
        length: of the axis.
        new: length of the result.

    Returns:
        Slices of the axis, and weights (group, covered); beyond the image lie zeros, as in MONAI's filter.
    """
    factor = torch.tensor(float(length)) / torch.tensor(float(new))
    # The Gaussian with which MONAI and scikit-image smooth an axis before it shrinks.
    kernel = gaussian_1d(torch.clamp((factor - 1) / 2, min=0), truncated=TRUNCATED, approx="erf")
    margin = len(kernel) // 2
    between = ((torch.arange(new) + 0.5) * factor - 0.5).clamp(min=0)  # in float32, as PyTorch interpolates
    before = between.long().clamp(max=length - 1)
    after = (before + 1).clamp(max=length - 1)
    share = between - before

    def gaussian(lines: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
        taps = lines - centers[:, None] + margin
        return kernel[taps.clamp(0, len(kernel) - 1)].where((taps >= 0) & (taps < len(kernel)), 0.0)

    groups = []
    for start in range(0, new, GROUP):
        first, last = before[start : start + GROUP], after[start : start + GROUP]
        covered = slice(max(0, int(first[0]) - margin), min(length, int(last[-1]) + margin + 1))
        lines, part = torch.arange(covered.start, covered.stop), share[start : start + GROUP, None]
        groups.append((covered, (1 - part) * gaussian(lines, first) + part * gaussian(lines, last)))
    return tuple(groups)


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
