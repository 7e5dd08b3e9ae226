"""Handlers that report a training: what all bundles print, plot and show of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ignite.engine import Engine
from ignite.handlers import ProgressBar
from monai.handlers import StatsHandler, TensorBoardStatsHandler


class TrainingLog:
    """An ignite handler that reports the loss: one printed line per epoch, a TensorBoard curve, and a progress bar.

    Args:
        log_dir: folder of the TensorBoard events.
        progress_bar: whether to show a progress bar, which a server has no use for.

    Example:
        >>> import tempfile
        >>> from ignite.engine import Engine
        >>> trainer = Engine(lambda engine, batch: None)
        >>> TrainingLog(tempfile.mkdtemp(), progress_bar=False).attach(trainer)
    """

    def __init__(self, log_dir: str | Path, progress_bar: bool = True) -> None:
        self.handlers: list[Any] = [
            StatsHandler(tag_name="train_loss", iteration_log=_ends_epoch, output_transform=_loss),
            TensorBoardStatsHandler(log_dir=str(log_dir), tag_name="train_loss", output_transform=_loss),
        ]
        if progress_bar:
            self.handlers.append(ProgressBar(persist=True))

    def attach(self, engine: Engine) -> None:
        """Report what this trainer does; its output holds "loss"."""
        for handler in self.handlers:
            handler.attach(engine)


class ValidationLog:
    """An ignite handler that reports the metrics of a validation: one printed line and a TensorBoard curve.

    Args:
        log_dir: folder of the TensorBoard events.

    Example:
        >>> import tempfile
        >>> from ignite.engine import Engine
        >>> evaluator = Engine(lambda engine, batch: None)
        >>> ValidationLog(tempfile.mkdtemp()).attach(evaluator)
    """

    def __init__(self, log_dir: str | Path) -> None:
        self.handlers: list[Any] = [
            StatsHandler(tag_name="validation", iteration_log=False),
            TensorBoardStatsHandler(log_dir=str(log_dir), iteration_log=False),
        ]

    def attach(self, engine: Engine) -> None:
        """Report what this evaluator measures."""
        for handler in self.handlers:
            handler.attach(engine)


def _ends_epoch(engine: Engine, iteration: int) -> bool:
    epoch_length: int = engine.state.epoch_length  # type: ignore[assignment]  # set once a run has begun
    return iteration % epoch_length == 0


def _loss(output: dict[str, Any]) -> float:
    loss: float = output["loss"].item()
    return loss
