"""Shift of intensities without a unit to a minimum of zero, which is what padding adds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import MapTransform


class StartAtZerod(MapTransform):
    """Subtract the minimum of every channel, so that zeros of a later padding are as dark as the background.

    MR has no unit: a scan may be stored with an offset, or standardized to a mean of zero. Images that start at zero
    pass unchanged.

    Args:
        keys: images (C, X, Y[, Z]) of finite values.

    Example:
        >>> import torch
        >>> StartAtZerod("image")({"image": torch.tensor([[[-2.0, 0.0, 5.0]]])})["image"].tolist()
        [[[0.0, 2.0, 7.0]]]
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with shifted images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            lowest = image.amin(dim=tuple(range(1, image.ndim)), keepdim=True)
            if bool((lowest != 0).any()):
                sample[key] = image - lowest
        return sample
