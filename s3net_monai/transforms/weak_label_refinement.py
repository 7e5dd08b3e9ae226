"""The outline of one picture's own cues, chosen by the network's answer, joined to that answer."""

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


def refine_with_weak_labels(probability: Map, image: Map, share: float = 0.5, power: float = 8.0) -> Map:
    """Mean of a lesion probability and of the picture's ``skin_labeling_functions``, the cues weighted by how far they fit it.

    A network that has seen many pictures knows which of a picture's cues is the lesion; the weak label knows where the lesion
    ends in this picture. A weak label's weight is its soft Dice with the probability, to a power that leaves little but the
    best.

    Args:
        probability: (X, Y) in [0, 1].
        image: RGB picture (3, X, Y) in [0, 1].
        share: weight of the cues against the probability; a picture without cues keeps its probability.
        power: see above.

    Returns:
        (X, Y) in [0, 1].
    """
    cues = np.asarray(skin_labeling_functions(image), dtype=np.float32)
    if not len(cues) or not cues.any() or not probability.any():
        return probability
    overlap = 2 * (cues * probability).sum(axis=(1, 2)) / (cues.sum(axis=(1, 2)) + probability.sum())
    if not overlap.any():
        return probability
    weights = (overlap / overlap.max()) ** power
    chosen = np.tensordot(weights / weights.sum(), cues, axes=1)
    return (1 - share) * probability + share * chosen


class RefineWithWeakLabelsd(MapTransform):
    """``refine_with_weak_labels`` of a lesion probability (1, X, Y) with the picture it came from.

    Args:
        keys: lesion probabilities.
        image_key: the picture (3, X, Y) in [0, 1] as the network saw it.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        image = np.asarray(torch.as_tensor(sample[self.image_key]).cpu(), dtype=np.float32)
        for key in self.key_iterator(sample):
            probability = np.asarray(torch.as_tensor(sample[key][0]).cpu(), dtype=np.float32)
            sample[key] = convert_to_dst_type(refine_with_weak_labels(probability, image)[None], sample[key])[0]
        return sample
