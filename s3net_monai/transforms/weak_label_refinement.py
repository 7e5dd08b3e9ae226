"""Refinement of a lesion probability by the labeling functions of its own image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from numpy.typing import NDArray

from s3net_monai.transforms.skin_labeling import skin_labeling_functions

Map = NDArray[np.floating]


def refine_with_weak_labels(probability: Map, image: Map, *, weight: float = 0.5, power: float = 8.0) -> Map:
    """Refine a lesion probability by the labeling functions' masks that fit it best.

    The result is the mean of the probability and of these masks of ``skin_labeling_functions``. A network that was
    trained on many images recognizes which of these masks is the lesion; the masks show where the lesion ends in this
    image. A mask's weight is its soft Dice with the probability, to a power that leaves little but the best.

    Args:
        probability: (X, Y) in [0, 1].
        image: RGB image (3, X, Y) in [0, 1].
        weight: of the masks against the probability; an image without masks keeps its probability.
        power: see above.

    Returns:
        (X, Y) in [0, 1].
    """
    masks = np.asarray(skin_labeling_functions(image), dtype=np.float32)
    if not len(masks) or not masks.any() or not probability.any():
        return probability
    overlap = 2 * (masks * probability).sum(axis=(1, 2)) / (masks.sum(axis=(1, 2)) + probability.sum())
    if not overlap.any():
        return probability
    mask_weights = (overlap / overlap.max()) ** power
    best_fit = np.tensordot(mask_weights / mask_weights.sum(), masks, axes=1)
    return (1 - weight) * probability + weight * best_fit


class RefineWithWeakLabelsd(MapTransform):
    """Apply ``refine_with_weak_labels`` to a lesion probability (1, X, Y) and its image.

    Args:
        keys: lesion probabilities.
        image_key: the image (3, X, Y) in [0, 1] as the network received it.

    Example:
        >>> import torch
        >>> image = torch.full((3, 40, 40), 0.8)
        >>> image[:, 14:26, 14:26] = 0.2
        >>> probability = torch.zeros(1, 40, 40)
        >>> probability[:, 14:26, 14:24] = 0.9
        >>> result = RefineWithWeakLabelsd("pred")({"pred": probability, "image": image})["pred"]
        >>> bool(result[0, 20, 24] > probability[0, 20, 24])
        True
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with refined probabilities."""
        sample = dict(data)
        image = np.asarray(torch.as_tensor(sample[self.image_key]).cpu(), dtype=np.float32)
        for key in self.key_iterator(sample):
            probability = np.asarray(torch.as_tensor(sample[key][0]).cpu(), dtype=np.float32)
            sample[key] = convert_to_dst_type(refine_with_weak_labels(probability, image)[None], sample[key])[0]
        return sample
