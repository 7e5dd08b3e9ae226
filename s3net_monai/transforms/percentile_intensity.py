"""Intensities between two percentiles, also where nearly all voxels have one value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, ScaleIntensityRangePercentiles
from monai.transforms.utils_pytorch_numpy_unification import percentile

from s3net_monai.transforms.notes import add_note


class PercentileIntensityd(MapTransform):
    """Scale every channel of an image to [0, 1] between two percentiles of its values, and clip it there.

    Where the two are equal, as in a scan that is nearly all background, a channel is scaled by its whole range, and a
    channel of one value is 0, each with a note. ``ScaleIntensityRangePercentilesd`` of MONAI 1.6.1 returns such a
    channel shifted to 0 but neither scaled nor clipped.

    Args:
        keys: images (C, X, Y[, Z]).
        lower: percentile that becomes 0.
        upper: percentile that becomes 1.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 20, 20)
        >>> image[0, 0, :2] = torch.tensor([500.0, 1000.0])
        >>> PercentileIntensityd("image")({"image": image})["image"][0, 0, :3].tolist()
        [0.5, 1.0, 0.0]
    """

    def __init__(self, keys: KeysCollection, lower: float = 1.0, upper: float = 99.0) -> None:
        super().__init__(keys)
        self.lower, self.upper = lower, upper
        self.scale = ScaleIntensityRangePercentiles(lower, upper, b_min=0, b_max=1, clip=True, channel_wise=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with scaled images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            scaled = torch.as_tensor(self.scale(image))
            for index, channel in enumerate(torch.as_tensor(image)):
                if float(percentile(channel, self.lower)) == float(percentile(channel, self.upper)):
                    low, high = float(channel.min()), float(channel.max())
                    scaled[index] = (channel - low) / (high - low) if low < high else 0
                    add_note(sample, key, _note(low, high, self.upper - self.lower))
            sample[key] = scaled
            if isinstance(image, MetaTensor):
                sample[key].meta["notes"] = image.meta.get("notes", [])
        return sample


def _note(low: float, high: float, percent: float) -> str:
    if low == high:
        return f"all its values are {low:g}, so there is nothing to see"
    return f"more than {percent:g} % of its values are equal, so the lowest and the highest set the scale"
