"""How nearly convex a mask is: a label-free sign of whether an outline has leaked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray
from skimage.morphology import convex_hull_image


def solidity(mask: NDArray[np.bool_]) -> float:
    """Area of a mask (X, Y) as a share of its convex hull's; 0 for an empty mask, which has no outline to trust."""
    return float(mask.sum() / convex_hull_image(mask).sum()) if mask.any() else 0.0


class Solidityd(MapTransform):
    """Add the ``solidity`` of a foreground probability cut at 0.5, under ``trust_key``.

    A lesion's outline is nearly convex; a mask with arms has followed hairs, ink or a shadow. Where a sample has this
    figure, ``s3net segment`` multiplies it into the consistency score.

    Args:
        keys: foreground probabilities (1, X, Y).
        trust_key: where the figure goes, a float from 0 to 1.
    """

    def __init__(self, keys: KeysCollection, trust_key: str = "trust") -> None:
        super().__init__(keys)
        self.trust_key = trust_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[self.trust_key] = solidity(np.asarray(torch.as_tensor(sample[key][0]).cpu()) > 0.5)
        return sample
