"""Checkpoints of a training: the best weights, and the one from which to resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.handlers import CheckpointSaver
from torch.nn import Module

FILE_NAME = "model.pt"


def latest_checkpoint(folder: str | Path) -> str:
    """Return the path of the newest ``checkpoint*.pt`` in a folder.

    Args:
        folder: where an interrupted training saved its checkpoints.

    Raises:
        FileNotFoundError: when there is none.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "checkpoint_epoch=3.pt").touch()
        ...     Path(latest_checkpoint(folder)).name
        'checkpoint_epoch=3.pt'
    """
    checkpoints = sorted(Path(folder).glob("checkpoint*.pt"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise FileNotFoundError(f"{folder}: no checkpoint*.pt to resume from; start without resume, or set ckpt_dir")
    return str(checkpoints[-1])


class BestCheckpoint(CheckpointSaver):
    """Save the weights with the highest key metric, also across interruptions.

    The best score is part of a state that a checkpoint can hold. MONAI's saver restores its state from a checkpoint of
    its own only, so a resumed training would take its first score for the best and overwrite better weights.

    Args:
        save_dir: folder of the file, ``model.pt``.
        network: whose weights are saved, as a plain state dict.

    Example:
        >>> import torch
        >>> saver = BestCheckpoint("models", torch.nn.Linear(1, 1))
        >>> saver.save_dir
        'models'
    """

    def __init__(self, save_dir: str, network: Module) -> None:
        super().__init__(save_dir, {"model": network}, save_key_metric=True, key_metric_filename=FILE_NAME)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score and the name that MONAI gave it."""
        assert self._key_metric_checkpoint is not None
        return dict(self._key_metric_checkpoint.state_dict())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a score, unless its weights are gone and need no protection from worse ones."""
        if Path(self.save_dir, FILE_NAME).is_file():
            super().load_state_dict(dict(state_dict))
