"""What a training prints and plots: the loss per epoch, and the metrics of its validations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import StatsHandler
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from s3net_monai.engines import TrainingLog, ValidationLog


def curves(folder: Path) -> dict[str, list[float]]:
    """Values of all scalars of the one event file."""
    (file,) = folder.glob("events.out.tfevents.*")
    events = EventAccumulator(str(file))
    events.Reload()
    return {tag: [point.value for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What MONAI's StatsHandler logs, whichever stream its logger was bound to."""
    logged: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logger = StatsHandler().logger
    logger.addHandler(listener)
    yield logged
    logger.removeHandler(listener)


@pytest.fixture
def trainer() -> Engine:
    """Two epochs of three iterations whose loss is the number of the iteration."""
    engine = Engine(lambda engine, batch: {"loss": torch.tensor(float(engine.state.iteration))})
    return engine


def test_loss_is_printed_once_per_epoch(trainer: Engine, tmp_path: Path, messages: list[str]) -> None:
    TrainingLog(tmp_path, progress_bar=False).attach(trainer)
    trainer.run([0, 1, 2], max_epochs=2)
    losses = [message for message in messages if "train_loss" in message]
    assert [message.split()[-1] for message in losses] == ["3.0000", "6.0000"]


def test_no_progress_bar_where_it_is_switched_off(
    trainer: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TrainingLog(tmp_path, progress_bar=False).attach(trainer)
    trainer.run([0, 1, 2], max_epochs=1)
    assert "[3/3]" not in capsys.readouterr().err


def test_every_loss_is_plotted(trainer: Engine, tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, progress_bar=False)
    log.attach(trainer)
    trainer.run([0, 1, 2], max_epochs=2)
    assert curves(tmp_path)["train_loss"] == [1, 2, 3, 4, 5, 6]


def test_progress_bar_is_shown_by_default(trainer: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TrainingLog(tmp_path).attach(trainer)
    trainer.run([0, 1, 2], max_epochs=1)
    assert "[3/3]" in capsys.readouterr().err


def test_validation_reports_its_metrics(tmp_path: Path, messages: list[str]) -> None:
    evaluator = Engine(lambda engine, batch: None)

    def measure(engine: Any) -> None:
        engine.state.metrics["mean_dice"] = 0.5

    evaluator.add_event_handler(Events.EPOCH_COMPLETED, measure)
    ValidationLog(tmp_path).attach(evaluator)
    evaluator.run([0])
    assert any("mean_dice: 0.5000" in message for message in messages)
    assert curves(tmp_path) == {"mean_dice": [0.5]}
