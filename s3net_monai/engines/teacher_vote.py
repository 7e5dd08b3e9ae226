"""The second round of self-training: a trained network and the cues vote, and the next network learns from them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from s3net_monai.engines.flip_inferer import FlipInferer
from s3net_monai.transforms.cue_refinement import refine_with_cues
from s3net_monai.transforms.skin_cues import dice, skin_evidence


class TeacherVoted(MapTransform):
    """Add the vote of a trained network and of the picture's cues, (1, X, Y) in [0, 1], under ``cue_key``.

    The vote is ``refine_with_cues`` of the network's mean over flips and quarter turns, drawn towards one half by the
    Dice of the network's mask with the mask of the cues alone: 0 for 0.5 and less, 1 from 0.9 on. A picture on which
    the two contradict one another teaches nothing.

    Args:
        keys: the picture, (3, X, Y) in [0, 1].
        network: the network of the first round; gives class probabilities.
        checkpoint: its weights, a plain state dict.
        averaging: runs it.
        cue_key: where the vote goes.

    Raises:
        ValueError: when there is no such file.
    """

    def __init__(
        self,
        keys: KeysCollection,
        network: nn.Module,
        checkpoint: str,
        averaging: FlipInferer,
        cue_key: str = "cue",
    ) -> None:
        super().__init__(keys)
        if not Path(checkpoint).is_file():
            raise ValueError(f"{checkpoint}: no weights of a first round; give --teacher the model.pt of one")
        network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        self.network = network.eval()
        self.averaging, self.cue_key = averaging, cue_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            picture = torch.as_tensor(sample[key]).as_subclass(Tensor).cpu().float()
            with torch.no_grad():
                probability = self.averaging(picture[None], self.network)[0, 1].numpy()
            sample[self.cue_key] = convert_to_tensor(self._vote(probability, picture.numpy())[None])
        return sample

    @staticmethod
    def _vote(probability: np.ndarray, picture: np.ndarray) -> np.ndarray:
        agreement = dice(probability > 0.5, skin_evidence(picture) > 0.5)
        joint = refine_with_cues(probability, picture)
        return (0.5 + (joint - 0.5) * np.clip((agreement - 0.5) / 0.4, 0, 1)).astype(np.float32)
