"""Resampling a volume to a spacing and back, axis by axis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys


class ResampleToSpacing(InvertibleTransform):
    """Interpolate linearly to about the wished spacing; directions and the extent in space stay.

    MONAI's ``Spacing`` builds a sampling grid of three coordinates a voxel: for a mask of 512 x 512 x 300 voxels that
    alone is 0.9 GB. Axes that keep their directions need none. The number of voxels is rounded, so the spacing reached
    differs from the wished one by at most half a voxel over the whole axis; an axis too short for that keeps one voxel.
    The affine states the spacing reached.

    Args:
        pixdim: wished spacing of every axis in mm.
    """

    def __init__(self, pixdim: Sequence[float]) -> None:
        super().__init__()
        self.pixdim = pixdim

    def __call__(self, img: MetaTensor) -> MetaTensor:
        """Resample (C, X, Y[, Z])."""
        size = [
            max(1, round(count * float(spacing) / wished))
            for count, spacing, wished in zip(img.shape[1:], img.pixdim, self.pixdim, strict=True)
        ]
        return self.push_transform(_resize(img, size), orig_size=tuple(img.shape[1:]))

    def inverse(self, data: MetaTensor) -> MetaTensor:
        """Resample back to the grid that came in."""
        return _resize(data, self.pop_transform(data)[TraceKeys.ORIG_SIZE])


def _resize(img: MetaTensor, size: Sequence[int]) -> MetaTensor:
    resize = Resize(spatial_size=size, mode="trilinear" if len(size) == 3 else "bilinear", dtype=torch.float32)
    with resize.trace_transform(False):
        return cast(MetaTensor, resize(img))


class ResampleToSpacingd(MapTransform, InvertibleTransform):
    """Dictionary form of ``ResampleToSpacing``.

    Unlike ``Spacingd`` of MONAI 1.6.1 it looks at nothing but ``keys``, so a sample may hold ``image_path`` or any
    other plain value beside the image, as MONAI Label's samples do.

    Args:
        keys: images (C, X, Y[, Z]) with an affine.
        pixdim: wished spacing of every axis in mm.
    """

    def __init__(self, keys: KeysCollection, pixdim: Sequence[float]) -> None:
        super().__init__(keys)
        self.resample = ResampleToSpacing(pixdim)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = self.resample(sample[key])
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Undo the resampling of every key."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = self.resample.inverse(sample[key])
        return sample
