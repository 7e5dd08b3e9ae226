"""Intensities between two percentiles, also where nearly all voxels have one value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.transforms.utils_pytorch_numpy_unification import percentile
from monai.utils import convert_to_dst_type

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

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with scaled images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            channels = torch.as_tensor(image).as_subclass(torch.Tensor)
            scaled = torch.empty(channels.shape, dtype=torch.float32, device=channels.device)
            for index, channel in enumerate(channels):
                low, high = torch.as_tensor(percentile(channel, [self.lower, self.upper]))  # of one sorting
                if low == high:
                    low, high = channel.min(), channel.max()
                    add_note(sample, key, _note(float(low), float(high), self.upper - self.lower))
                scaled[index] = ((channel - low) / (high - low)).clamp(0, 1) if low < high else 0
            sample[key] = convert_to_dst_type(scaled, image, dtype=torch.float32)[0]
            if isinstance(image, MetaTensor):
                sample[key].meta["notes"] = image.meta.get("notes", [])
        return sample


def _note(low: float, high: float, percent: float) -> str:
    if low == high:
        return f"all its values are {low:g}, so there is nothing to see"
    return f"more than {percent:g} % of its values are equal, so the lowest and the highest set the scale"
