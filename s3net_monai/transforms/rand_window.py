"""Random display windows, so that a network does not rely on one scale of CT intensities."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable


class RandWindowd(Randomizable, MapTransform):
    """Stretch a random part of [0, 1] to [0, 1] and clip the remainder.

    This is what exporting a CT to an 8-bit image does.

    Args:
        keys: images in [0, 1]; all keys of a sample get the same window.
        low: the window begins between 0 and this.
        high: the window ends between this and 1.
        prob: probability of a window other than the whole range.

    Raises:
        ValueError: when ``low`` is not below ``high`` within [0, 1].

    Example:
        >>> import torch
        >>> transform = RandWindowd("image", low=0.25, high=0.6, prob=1.0).set_random_state(0)
        >>> transform({"image": torch.tensor([[[0.0, 1.0]]])})["image"].tolist()
        [[[0.0, 1.0]]]
        >>> begin, end = transform.window
        >>> 0 <= begin <= 0.25, 0.6 <= end <= 1
        (True, True)
    """

    def __init__(self, keys: KeysCollection, *, low: float, high: float, prob: float = 0.5) -> None:
        super().__init__(keys)
        if not 0 <= low < high <= 1:
            raise ValueError(f"low is {low} and high {high}, expected 0 <= low < high <= 1")
        self.low, self.high, self.prob = low, high, prob

    def randomize(self, data: Any = None) -> None:
        """Draw begin and end of the window; the whole range with probability 1 - ``prob``."""
        self.window = (0.0, 1.0)
        if self.R.random() < self.prob:
            self.window = (self.R.uniform(0, self.low), self.R.uniform(self.high, 1))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with windowed images."""
        sample = dict(data)
        self.randomize()
        begin, end = self.window
        for key in self.key_iterator(sample):
            sample[key] = ((sample[key] - begin) / (end - begin)).clamp(0, 1)
        return sample
