"""Files that a training writes: complete and finite, or not there."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from ignite.handlers.checkpoint import BaseSaveHandler
from monai.handlers import CheckpointSaver
from torch import Tensor
from torch.nn import Module

from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import TrainingError

FILE_NAME = "model.pt"


class AtomicCheckpointSaver(CheckpointSaver):
    """MONAI's ``CheckpointSaver``, whose files are complete and finite or not there.

    It takes the same arguments. A file is written under a temporary name, and the one that it replaces is removed
    afterwards: on a full disk the last sound checkpoint stays. Weights that are not finite are refused. A training that
    ends with an exception leaves no final file, which would look like that of a complete training.

    Raises:
        TrainingError: when a file cannot be written, or when a tensor of it is not finite.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saver = AtomicCheckpointSaver(folder, {"model": torch.nn.Linear(1, 1)}, save_final=True)
        ...     saver.save_dir == folder
        True
    """

    def __init__(self, save_dir: str, save_dict: dict[str, Any], **options: Any) -> None:
        super().__init__(save_dir, save_dict, **options)
        for checkpoint in (self._final_checkpoint, self._key_metric_checkpoint, self._interval_checkpoint):
            if checkpoint is not None:
                fixed_name = getattr(checkpoint.save_handler, "filename", None)
                checkpoint.save_handler = _AtomicSaveHandler(Path(save_dir), fixed_name)  # type: ignore[assignment]

    def exception_raised(self, engine: Engine, e: Exception) -> None:
        """Let the exception through, and save nothing."""
        raise e


class BestCheckpoint(AtomicCheckpointSaver):
    """Save the weights with the highest key metric, also across interruptions.

    The best score is part of a state that a checkpoint can hold. MONAI's saver restores its state from a checkpoint of
    its own only, so a resumed training would take its first score for the best and overwrite better weights.

    Args:
        save_dir: folder of the file, ``model.pt``.
        network: whose weights are saved, as a plain state dict.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     BestCheckpoint(folder, torch.nn.Linear(1, 1)).save_dir == folder
        True
    """

    def __init__(self, save_dir: str, network: Module) -> None:
        super().__init__(save_dir, {"model": network}, save_key_metric=True, key_metric_filename=FILE_NAME)

    def metrics_completed(self, engine: Engine) -> None:
        """Save the weights if their score is the highest so far.

        Raises:
            TrainingError: when the score is not finite: nothing is higher than it, so it would stay the best for ever.
        """
        name = str(engine.state.key_metric_name)  # type: ignore[attr-defined]  # set by MONAI's evaluators
        score = engine.state.metrics[name]
        if not math.isfinite(score):
            raise TrainingError(
                f"validation after epoch {engine.state.epoch}: {name} is {score}, which cannot be compared; "
                "lower the learning_rate"
            )
        super().metrics_completed(engine)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score and the name that MONAI gave it."""
        assert self._key_metric_checkpoint is not None
        return dict(self._key_metric_checkpoint.state_dict())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a score, unless its weights are gone and need no protection from worse ones."""
        if Path(self.save_dir, FILE_NAME).is_file():
            super().load_state_dict(dict(state_dict))


class _AtomicSaveHandler(BaseSaveHandler):
    """Write under a temporary name; ignite asks to remove the old file before it hands over the new one."""

    def __init__(self, folder: Path, filename: str | None) -> None:
        self.folder, self.filename = folder, filename
        self.outdated: set[str] = set()

    def __call__(self, checkpoint: Mapping[str, Any], filename: str, metadata: Mapping[str, Any] | None = None) -> None:
        path = self.folder / (self.filename or filename)
        for name, tensor in _tensors(checkpoint):
            if not tensor.isfinite().all():
                raise TrainingError(
                    f"{path.name} is not written: {name} is not finite; lower the learning_rate, or set amp to False"
                )
        # On a full disk, torch.save into a file may end the whole process.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                temporary.write_bytes(content.getbuffer())
        except OSError as error:
            raise TrainingError(
                f"{path} cannot be written ({error.strerror or error}); the files before it are complete: free space, "
                "or set another ckpt_dir"
            ) from error
        for outdated in self.outdated - {path.name}:
            (self.folder / outdated).unlink(missing_ok=True)
        self.outdated.clear()

    def remove(self, filename: str) -> None:
        self.outdated.add(self.filename or filename)


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor in nested mappings and sequences, with the keys that lead to it."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _tensors(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from _tensors(entry, f"{name}.{index}")
