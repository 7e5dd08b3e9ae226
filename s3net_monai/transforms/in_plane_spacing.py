"""Pixels of about the size that a network knows, for networks trained without resampling."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys

LOST = 1.0  # mm, what files state that have lost their sizes; no scanner makes short-axis pixels of exactly that
BELIEVED = (0.3, 6.0)  # mm; beyond, the size is no patient's


class InPlaneSpacingd(MapTransform, InvertibleTransform):
    """Resample the plane of (C, X, Y[, Z]) where its pixels are much larger or smaller than those of the training.

    Scanners interpolate to 512 x 512 on request, which makes a heart twice as large in pixels. Sizes within ``known``
    are left alone, as are those that are exactly 1 mm or beyond belief. The inverse brings a mask back.

    Args:
        keys: images with an affine.
        known: least and largest pixel size of the training in mm.
        pixdim: the size to resample to in mm.
    """

    def __init__(self, keys: KeysCollection, known: tuple[float, float] = (1.2, 2.0), pixdim: float = 1.5) -> None:
        super().__init__(keys)
        self.known, self.pixdim = known, pixdim

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            before = tuple(image.shape[1:])
            sample[key] = self.push_transform(_resized(image, self._size(image)), orig_size=before)
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample back to the grid that came in."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = _resized(sample[key], self.pop_transform(sample[key])[TraceKeys.ORIG_SIZE])
        return sample

    def _size(self, image: MetaTensor) -> list[int]:
        sizes = [int(size) for size in image.shape[1:]]
        plane = [float(spacing) for spacing in image.pixdim[:2]]
        lost = all(abs(spacing - LOST) < 1e-6 for spacing in plane)
        usual = self.known[0] <= min(plane) and max(plane) <= self.known[1]
        if lost or usual or min(plane) < BELIEVED[0] or max(plane) > BELIEVED[1]:
            return sizes
        return [*(max(1, round(sizes[axis] * plane[axis] / self.pixdim)) for axis in (0, 1)), *sizes[2:]]


def _resized(image: MetaTensor, size: Sequence[int]) -> MetaTensor:
    if tuple(size) == tuple(image.shape[1:]):
        return image
    mode = "trilinear" if len(size) == 3 else "bilinear"
    resize = Resize(spatial_size=size, mode=mode, anti_aliasing=True, dtype=torch.float32)
    with resize.trace_transform(False):
        return cast(MetaTensor, resize(image))
