"""Votes of simple cues as MONAI dictionary transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from s3net_monai.transforms.lung_labeling import lung_weak_label
from s3net_monai.transforms.skin_labeling import center_weight, skin_weak_label


def _center(image: np.ndarray) -> np.ndarray:
    return center_weight(image.shape[1:])


_VOTES = {"skin": skin_weak_label, "lung": lung_weak_label, "center": _center}


class WeakLabeld(MapTransform):
    """Add the vote of simple cues on an image, as a map (1, X, Y[, Z]) in [0, 1] under ``weak_label_key``.

    Args:
        keys: the image, (C, X, Y[, Z]).
        task: "skin" (``skin_labeling.skin_weak_label``), "lung" (``lung_labeling.lung_weak_label``), or "center", a mere preference for the
            center (``skin_labeling.center_weight``) that looks at no intensity and serves to name clusters without any weak label.
        weak_label_key: where the vote goes.

    Raises:
        ValueError: for an unknown task.
    """

    def __init__(self, keys: KeysCollection, task: str, weak_label_key: str = "weak_label") -> None:
        super().__init__(keys)
        if task not in _VOTES:
            raise ValueError(f"task is {task!r}, expected one of {sorted(_VOTES)}")
        self.vote = _VOTES[task]
        self.weak_label_key = weak_label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = np.asarray(torch.as_tensor(sample[key]).cpu())
            sample[self.weak_label_key] = convert_to_tensor(self.vote(image)[None], dtype=torch.float32)
        return sample
