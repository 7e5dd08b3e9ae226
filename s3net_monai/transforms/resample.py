"""Resampling of a volume to a target spacing and back, axis by axis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys


class ResampleToSpacing(InvertibleTransform):
    """Interpolate linearly to about the target spacing.

    Directions and the extent in space are preserved. MONAI's ``Spacing`` builds a sampling grid of three coordinates
    per voxel: for a mask of 512 x 512 x 300 voxels that alone is 0.9 GB. Axes that keep their directions need none. The
    number of voxels is rounded, so the resulting spacing differs from the target by at most half a voxel over the whole
    axis; an axis too short for that keeps one voxel. The affine states the resulting spacing.

    Args:
        pixdim: target spacing of every axis in mm.
    """

    def __init__(self, pixdim: Sequence[float]) -> None:
        super().__init__()
        self.pixdim = pixdim

    def __call__(self, img: MetaTensor) -> MetaTensor:
        """Resample (C, X, Y[, Z])."""
        size = [
            max(1, round(count * float(spacing) / target))
            for count, spacing, target in zip(img.shape[1:], img.pixdim, self.pixdim, strict=True)
        ]
        return self.push_transform(_resize(img, size), orig_size=tuple(img.shape[1:]))

    def inverse(self, data: MetaTensor) -> MetaTensor:
        """Resample back to the original grid."""
        return _resize(data, self.pop_transform(data)[TraceKeys.ORIG_SIZE])


def _resize(img: MetaTensor, size: Sequence[int]) -> MetaTensor:
    resize = Resize(spatial_size=size, mode="trilinear" if len(size) == 3 else "bilinear", dtype=torch.float32)
    with resize.trace_transform(False):
        return cast(MetaTensor, resize(img))


class ResampleToSpacingd(MapTransform, InvertibleTransform):
    """Resample images to a target spacing; the dictionary form of ``ResampleToSpacing``.

    Unlike ``Spacingd`` of MONAI 1.6.1 it reads nothing but ``keys``, so a sample may hold ``image_path`` or any other
    plain value beside the image, as MONAI Label's samples do.

    Args:
        keys: images (C, X, Y[, Z]) with an affine.
        pixdim: target spacing of every axis in mm.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = MetaTensor(torch.rand(1, 8, 8, 4), affine=torch.diag(torch.tensor([1.0, 1.0, 5.0, 1.0])))
        >>> transform = ResampleToSpacingd("image", pixdim=(2.0, 2.0, 5.0))
        >>> sample = transform({"image": image})
        >>> sample["image"].shape, transform.inverse(sample)["image"].shape
        (torch.Size([1, 4, 4, 4]), torch.Size([1, 8, 8, 4]))
    """

    def __init__(self, keys: KeysCollection, pixdim: Sequence[float]) -> None:
        super().__init__(keys)
        self.resample = ResampleToSpacing(pixdim)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with resampled images."""
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
