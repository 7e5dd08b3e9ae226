"""The foreground of a probability, without a second map in floating point."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type


class Foregroundd(MapTransform):
    """Replace foreground probabilities by 1 where they reach a threshold, uint8, and by 0 elsewhere.

    MONAI's ``AsDiscreted`` gives the same values in floating point: of a picture of a camera, 100 MB more.

    Args:
        keys: probabilities of any shape.
        threshold: lowest probability of the foreground.

    Example:
        >>> import torch
        >>> Foregroundd("pred", threshold=0.5)({"pred": torch.tensor([0.4, 0.5, 0.6])})["pred"]
        tensor([0, 1, 1], dtype=torch.uint8)
    """

    def __init__(self, keys: KeysCollection, threshold: float) -> None:
        super().__init__(keys)
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with masks in place of probabilities."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            inside = torch.as_tensor(sample[key]).as_subclass(torch.Tensor) >= self.threshold
            sample[key] = convert_to_dst_type(inside.view(torch.uint8), sample[key], dtype=torch.uint8)[0]
        return sample
