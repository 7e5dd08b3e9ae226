"""Solidity of a mask, a label-free sign of whether its outline has leaked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import convex_hull_image


def solidity(mask: NDArray[np.bool_]) -> float:
    """Return the area of a mask (X, Y) as a fraction of its convex hull's.

    An empty mask, which has no outline, gives 0.
    """
    boxes = ndimage.find_objects(mask.view(np.uint8))
    return float(mask.sum() / convex_hull_image(mask[boxes[0]]).sum()) if boxes else 0.0


class Solidityd(MapTransform):
    """Add the ``solidity`` of a foreground probability that is thresholded at 0.5.

    A lesion's outline is nearly convex; a mask with arms has followed hairs, ink or a shadow. Where a sample has this
    factor, ``s3net segment`` multiplies the consistency score by it.

    Args:
        keys: foreground probabilities (1, X, Y).
        quality_factor_key: where the factor is stored, a float from 0 to 1.

    Example:
        >>> import torch
        >>> probability = torch.zeros(1, 10, 10)
        >>> probability[:, 2:6, 2:6] = 0.9
        >>> Solidityd("pred")({"pred": probability})["quality_factor"]
        1.0
    """

    def __init__(self, keys: KeysCollection, quality_factor_key: str = "quality_factor") -> None:
        super().__init__(keys)
        self.quality_factor_key = quality_factor_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with its quality factor."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[self.quality_factor_key] = solidity(np.asarray(torch.as_tensor(sample[key][0]).cpu()) > 0.5)
        return sample
