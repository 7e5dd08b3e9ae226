"""The saver of the best weights, whose best score outlives an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.handlers import CheckpointSaver
from torch.nn import Module

FILE = "model.pt"


class BestCheckpoint(CheckpointSaver):
    """Keep the weights with the highest key metric in one file, and the score as a state that a checkpoint can hold.

    MONAI's saver reads its state from a checkpoint of its own only, so a resumed training would take its first score
    for the best and overwrite better weights.

    Args:
        save_dir: folder of the file, ``model.pt``.
        network: whose weights are saved, as a plain state dict.
    """

    def __init__(self, save_dir: str, network: Module) -> None:
        super().__init__(save_dir, {"model": network}, save_key_metric=True, key_metric_filename=FILE)

    def state_dict(self) -> dict[str, Any]:
        """The best score and the name MONAI gave it."""
        assert self._key_metric_checkpoint is not None
        return dict(self._key_metric_checkpoint.state_dict())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a score; forget it when its weights are gone, as there is nothing left to protect."""
        if Path(self.save_dir, FILE).is_file():
            super().load_state_dict(dict(state_dict))
