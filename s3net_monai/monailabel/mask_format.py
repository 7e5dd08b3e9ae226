"""Conversion of a mask to the form that MONAI Label's writer expects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


class FormatForSaveImaged(MapTransform):
    """Convert a mask for MONAI Label's writer, as the last step of a served bundle's postprocessing.

    MONAI Label drops ``SaveImaged``, and its own writer keeps the data type of the array, which PNG refuses unless it
    is an integer type, and the channel of a 2-D mask, which it takes for a third axis (``Restored`` of 0.8.5 drops the
    channel of volumes only). ``load_bundle`` drops this step, as every step with SaveImage in its name.

    Args:
        keys: masks (1, X, Y[, Z]).
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Convert masks to uint8, and 2-D masks to (X, Y)."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            mask = sample[key].to(torch.uint8)
            sample[key] = mask[0] if mask.ndim == 3 else mask
        return sample
