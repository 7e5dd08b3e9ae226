"""What a training prints and plots: the loss per epoch, and the metrics of its validations."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from s3net_monai.engines import TrainingLog, ValidationLog


def curves(folder: Path) -> dict[str, list[float]]:
    """Values of all scalars of the one event file."""
    (file,) = folder.glob("events.out.tfevents.*")
    events = EventAccumulator(str(file))
    events.Reload()
    return {tag: [point.value for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture
def trainer() -> Engine:
    """Two epochs of three iterations whose loss is the number of the iteration."""
    engine = Engine(lambda engine, batch: {"loss": torch.tensor(float(engine.state.iteration))})
    engine.logger = logging.getLogger("trainer")
    return engine


def test_loss_is_printed_once_per_epoch(trainer: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TrainingLog(tmp_path, progress_bar=False).attach(trainer)
    trainer.run([0, 1, 2], max_epochs=2)
    printed = capsys.readouterr()
    losses = [line for line in (printed.out + printed.err).splitlines() if "train_loss" in line]
    assert [line.split()[-1] for line in losses] == ["3.0000", "6.0000"]
    assert "[3/3]" not in printed.err


def test_every_loss_is_plotted(trainer: Engine, tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, progress_bar=False)
    log.attach(trainer)
    trainer.run([0, 1, 2], max_epochs=2)
    assert curves(tmp_path)["train_loss"] == [1, 2, 3, 4, 5, 6]


def test_progress_bar_is_shown_unless_switched_off(
    trainer: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TrainingLog(tmp_path).attach(trainer)
    trainer.run([0, 1, 2], max_epochs=1)
    assert "[3/3]" in capsys.readouterr().err


def test_validation_reports_its_metrics(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    evaluator = Engine(lambda engine, batch: None)
    evaluator.logger = logging.getLogger("evaluator")

    def measure(engine: Any) -> None:
        engine.state.metrics["mean_dice"] = 0.5

    evaluator.add_event_handler(Events.EPOCH_COMPLETED, measure)
    ValidationLog(tmp_path).attach(evaluator)
    evaluator.run([0])
    assert "mean_dice: 0.5000" in caplog.text
    assert curves(tmp_path) == {"mean_dice": [0.5]}
