"""Handlers that report a training: what all bundles print, plot and show of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.handlers import StatsHandler, TensorBoardStatsHandler

# Metrics whose zero is no score but the absence of one; MONAI would print 0.0000 as the best value so far.
_NO_SCORE = {"cluster_information": "no clusters that both views agree on yet"}
_ZERO = 5e-5  # what rounds to 0.0000


class TrainingLog:
    """An ignite handler that reports the loss: one printed line per epoch, a TensorBoard curve, and a progress bar.

    Args:
        log_dir: folder of the TensorBoard events.
        progress_bar: whether to show a progress bar, which a server has no use for.

    Example:
        >>> import tempfile
        >>> from ignite.engine import Engine, Events
        >>> trainer = Engine(lambda engine, batch: None)
        >>> TrainingLog(tempfile.mkdtemp(), progress_bar=False).attach(trainer)
    """

    def __init__(self, log_dir: str | Path, progress_bar: bool = True) -> None:
        self.handlers: list[Any] = [
            _QuietStatsHandler(tag_name="train_loss", iteration_log=_ends_epoch, output_transform=_loss),
            TensorBoardStatsHandler(log_dir=str(log_dir), tag_name="train_loss", output_transform=_loss),
        ]
        if progress_bar:
            self.handlers.append(ProgressBar(persist=True))

    def attach(self, engine: Engine) -> None:
        """Report what this trainer does; its output holds "loss"."""
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._close)
        for handler in self.handlers:
            handler.attach(engine)

    def _close(self, engine: Engine, error: BaseException) -> None:
        """End the progress bar before the error is printed; the next handler lets the error through."""
        for handler in self.handlers:
            if isinstance(handler, ProgressBar):
                handler._close(engine)


class ValidationLog:
    """An ignite handler that reports the metrics of a validation: one printed line and a TensorBoard curve.

    Args:
        log_dir: folder of the TensorBoard events.

    Example:
        >>> import tempfile
        >>> from ignite.engine import Engine, Events
        >>> evaluator = Engine(lambda engine, batch: None)
        >>> ValidationLog(tempfile.mkdtemp()).attach(evaluator)
    """

    def __init__(self, log_dir: str | Path) -> None:
        printed = _QuietStatsHandler(tag_name="validation", iteration_log=False)
        printed.epoch_print_logger = lambda engine: printed.logger.info(_metrics_line(engine))
        self.handlers: list[Any] = [
            printed,
            TensorBoardStatsHandler(log_dir=str(log_dir), iteration_log=False),
        ]

    def attach(self, engine: Engine) -> None:
        """Report what this evaluator measures."""
        for handler in self.handlers:
            handler.attach(engine)


class _QuietStatsHandler(StatsHandler):
    """MONAI's handler without a traceback of its own for an exception, which whoever catches it reports."""

    def exception_raised(self, _engine: Engine, e: Exception) -> None:
        raise e


def _metrics_line(engine: Engine) -> str:
    state: Any = engine.state
    metrics: Mapping[str, Any] = state.metrics
    line = f"Epoch[{state.epoch}] Metrics -- " + " ".join(_metric(name, metrics[name]) for name in sorted(metrics))
    key = getattr(state, "key_metric_name", None)
    if key in _NO_SCORE and state.best_metric < _ZERO:
        return line
    return line if key is None else f"{line}, best {_metric(key, state.best_metric)} at epoch {state.best_metric_epoch}"


def _metric(name: str, value: Any) -> str:
    if name in _NO_SCORE and value < _ZERO:
        return f"{name}: {_NO_SCORE[name]}"
    return f"{name}: {value:.4f}" if isinstance(value, (int, float)) else f"{name}: {value}"


def _ends_epoch(engine: Engine, iteration: int) -> bool:
    epoch_length: int = engine.state.epoch_length  # type: ignore[assignment]  # set once a run has begun
    return iteration % epoch_length == 0


def _loss(output: dict[str, Any]) -> float:
    loss: float = output["loss"].item()
    return loss
