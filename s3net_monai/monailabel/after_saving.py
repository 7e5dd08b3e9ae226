"""The mask as MONAI Label writes it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


class AfterSaveImaged(MapTransform):
    """Give MONAI Label a mask that its writer understands; the last step of a served bundle's postprocessing.

    MONAI Label drops ``SaveImaged``, and its own writer keeps the type of the array, which PNG refuses unless it is a
    whole number, and the channel of a picture's mask, which it takes for a third axis (``Restored`` of 0.8.5 drops the
    channel of volumes alone). Whatever else runs a bundle leaves out steps with SaveImage in their name.

    Args:
        keys: masks (1, X, Y[, Z]).
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """As uint8; pictures without their channel, (X, Y)."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            mask = sample[key].to(torch.uint8)
            sample[key] = mask[0] if mask.ndim == 3 else mask
        return sample
