"""Resampling of a volume to a target spacing and back, axis by axis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import TraceKeys
from torch.nn import functional as F

from s3net_monai.transforms.interpolate_planes import interpolate_above, interpolate_planes


class ResampleToSpacing(InvertibleTransform):
    """Interpolate linearly to about the target spacing.

    Directions and the extent in space are preserved. MONAI's ``Spacing`` builds a sampling grid of three coordinates
    per voxel: for a mask of 512 x 512 x 300 voxels that alone is 0.9 GB. Axes that keep their directions need none. The
    number of voxels is rounded, so the resulting spacing differs from the target by at most half a voxel over the whole
    axis; an axis too short for that keeps one voxel. The affine states the resulting spacing.

    Images may have any data type and any order of their axes in memory: a CT of 16-bit integers, stored slice by slice,
    is not copied.

    Args:
        pixdim: target spacing in mm along the patient's x, y and z; an axis of the image gets that of the direction
            nearest to it.
    """

    def __init__(self, pixdim: Sequence[float]) -> None:
        super().__init__()
        self.pixdim = pixdim

    def __call__(self, img: MetaTensor) -> MetaTensor:
        """Resample (C, X, Y[, Z]) to float32."""
        size = [
            max(1, round(count * float(spacing) / self.pixdim[direction]))
            for count, spacing, direction in zip(img.shape[1:], img.pixdim, _directions(img), strict=True)
        ]
        resampled = _resized(
            img, [_interpolated(channel, size) for channel in torch.as_tensor(img).as_subclass(torch.Tensor)]
        )
        return self.push_transform(resampled, orig_size=tuple(img.shape[1:]))

    def inverse(self, data: MetaTensor) -> MetaTensor:
        """Resample back to the original grid."""
        size = self.pop_transform(data)[TraceKeys.ORIG_SIZE]
        return _resized(data, [_interpolated(channel, size) for channel in data.as_tensor()])

    def inverse_above(self, data: MetaTensor, threshold: float) -> MetaTensor:
        """Return where values (C, X, Y, Z), resampled back to the original grid, reach a threshold: 1 there, uint8."""
        size = self.pop_transform(data)[TraceKeys.ORIG_SIZE]
        return _resized(data, [interpolate_above(channel, size, threshold) for channel in data.as_tensor().float()])


def _directions(img: MetaTensor) -> list[int]:
    """Return for every axis of an image (C, X, Y[, Z]) that of the patient which is nearest to it."""
    from nibabel.orientations import io_orientation  # and all of pydicom, which a run of pictures does not need

    count = img.ndim - 1
    affine = np.eye(count + 1)
    affine[:count, :count] = np.asarray(img.affine)[:count, :count]
    return [int(direction) for direction in io_orientation(affine)[:, 0]]


def _interpolated(channel: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    if channel.ndim == 3:
        return interpolate_planes(channel, size)
    return F.interpolate(channel[None, None].float(), tuple(size), mode="bilinear")[0, 0]


def _resized(img: MetaTensor, channels: Sequence[torch.Tensor]) -> MetaTensor:
    """Return channels that span the space of an image (C, X, Y[, Z]), with its metadata and their own affine."""
    values = channels[0][None] if len(channels) == 1 else torch.stack(tuple(channels))
    scale = torch.tensor(img.shape[1:], dtype=torch.float64) / torch.tensor(values.shape[1:], dtype=torch.float64)
    count = len(scale)
    to_old = torch.eye(len(img.affine), dtype=torch.float64)
    to_old[:count, :count], to_old[:count, -1] = torch.diag(scale), (scale - 1) / 2
    affine = img.affine.to(torch.float64) @ to_old
    meta = {name: value for name, value in img.meta.items() if name != "affine"}
    return MetaTensor(values, affine=affine, meta=meta, applied_operations=list(img.applied_operations))


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
