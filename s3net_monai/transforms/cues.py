"""Votes of simple cues as MONAI dictionary transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from s3net_monai.transforms.lung_cues import lung_vote
from s3net_monai.transforms.skin_cues import centre_weight, skin_vote


def _centre(image: np.ndarray) -> np.ndarray:
    return centre_weight(image.shape[1:])


_VOTES = {"skin": skin_vote, "lung": lung_vote, "centre": _centre}


class CueVoted(MapTransform):
    """Add the vote of simple cues on an image, as a map (1, X, Y[, Z]) in [0, 1] under ``cue_key``.

    Args:
        keys: the image, (C, X, Y[, Z]).
        task: "skin" (``skin_cues.skin_vote``), "lung" (``lung_cues.lung_vote``), or "centre", a mere preference for the
            centre (``skin_cues.centre_weight``) that looks at no intensity and serves to name clusters without any cue.
        cue_key: where the vote goes.

    Raises:
        ValueError: for an unknown task.
    """

    def __init__(self, keys: KeysCollection, task: str, cue_key: str = "cue") -> None:
        super().__init__(keys)
        if task not in _VOTES:
            raise ValueError(f"task is {task!r}, expected one of {sorted(_VOTES)}")
        self.vote = _VOTES[task]
        self.cue_key = cue_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = np.asarray(torch.as_tensor(sample[key]).cpu())
            sample[self.cue_key] = convert_to_tensor(self.vote(image)[None], dtype=torch.float32)
        return sample
