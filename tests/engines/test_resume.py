"""A resumed training: yesterday's state, today's settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import LrScheduleHandler
from monai.optimizers import WarmupCosineSchedule
from torch.optim.lr_scheduler import CosineAnnealingLR

from s3net_monai.engines import AtomicCheckpointSaver, ResumeTraining
from s3net_monai.engines.resume import latest_checkpoint
from s3net_monai.utils.errors import UsageError


class Training:
    """One weight whose gradient is always 1, a schedule, and a checkpoint after every epoch."""

    def __init__(
        self,
        folder: Path,
        *,
        epochs: int,
        length: int = 2,
        rate: float = 0.1,
        weight_decay: float = 0.0,
        epoch_level: bool = True,
        resume: bool = False,
    ) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.network.weight, 1.0)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=weight_decay)
        schedule: Any = (
            CosineAnnealingLR(self.optimizer, T_max=epochs)
            if epoch_level
            else WarmupCosineSchedule(self.optimizer, warmup_steps=2, t_total=epochs * length)
        )
        self.rates: list[float] = []
        self.trainer = Engine(self.step)
        self.state = {
            "network": self.network,
            "optimizer": self.optimizer,
            "lr_scheduler": schedule,
            "trainer": self.trainer,
        }
        if resume:
            ResumeTraining(folder, self.state, epoch_level=epoch_level).attach(self.trainer)
        LrScheduleHandler(schedule, print_lr=False, epoch_level=epoch_level).attach(self.trainer)
        AtomicCheckpointSaver(str(folder), self.state, save_interval=1, n_saved=1).attach(self.trainer)
        self.trainer.run(range(length), max_epochs=epochs)

    def step(self, engine: Engine, batch: int) -> None:
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        self.network.weight.grad = torch.ones(1, 1)
        self.optimizer.step()


@pytest.mark.parametrize("epoch_level", [True, False], ids=["by epoch", "by iteration"])
def test_more_epochs_follow_the_schedule_of_their_own_length(tmp_path: Path, epoch_level: bool) -> None:
    Training(tmp_path, epochs=2, epoch_level=epoch_level)
    longer = Training(tmp_path, epochs=6, epoch_level=epoch_level, resume=True)
    fresh = Training(tmp_path / "fresh", epochs=6, epoch_level=epoch_level)
    assert longer.rates == pytest.approx(fresh.rates[4:])
    assert longer.optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)
    assert longer.trainer.state.epoch == 6


def test_an_epoch_is_as_long_as_the_data_of_today(tmp_path: Path) -> None:
    Training(tmp_path, epochs=1, length=2)
    resumed = Training(tmp_path, epochs=2, length=6, resume=True)
    assert len(resumed.rates) == 6
    assert resumed.trainer.state.iteration == 12


@pytest.mark.parametrize(("length", "iterations_left"), [(2, 4), (4, 4)])
def test_a_training_counted_in_iterations_does_as_many_as_are_left(
    tmp_path: Path, length: int, iterations_left: int
) -> None:
    Training(tmp_path, epochs=2, length=2, epoch_level=False)
    resumed = Training(tmp_path, epochs=8 // length, length=length, epoch_level=False, resume=True)
    assert len(resumed.rates) == iterations_left


def test_moments_are_restored_and_settings_are_not(tmp_path: Path) -> None:
    first = Training(tmp_path, epochs=1)
    resumed = Training(tmp_path, epochs=2, rate=0.5, weight_decay=0.25, resume=True)
    (before,), (after,) = (training.optimizer.state.values() for training in (first, resumed))
    assert (before["step"], after["step"]) == (2, 4)
    assert resumed.rates == pytest.approx([0.25, 0.25])  # half of the cosine from 0.5
    assert resumed.optimizer.param_groups[0]["weight_decay"] == 0.25


def test_what_changed_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Training(tmp_path, epochs=1)
    with caplog.at_level(logging.INFO):
        Training(tmp_path, epochs=2, length=3, rate=0.5, resume=True)
    (changed,) = (message for message in caplog.messages if message.startswith("changed"))
    for phrase in ("lr 0.5 (was 0.1)", "max_epochs 2 (was 1)", "epoch_length 3 (was 2)", "T_max 2 (was 1)"):
        assert phrase in changed
    assert "weight_decay" not in changed
    assert "last_epoch" not in changed


def test_nothing_is_said_to_have_changed_where_nothing_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Training(tmp_path, epochs=2)
    assert first.trainer.state.epoch == 2
    with caplog.at_level(logging.INFO):
        again = Training(tmp_path, epochs=2, resume=True)
    assert again.rates == []
    assert not any(message.startswith("changed") for message in caplog.messages)
    assert any("all 2 epochs are done, nothing is left to train" in message for message in caplog.messages)


def test_fewer_epochs_than_are_done_are_refused(tmp_path: Path) -> None:
    Training(tmp_path, epochs=3)
    with pytest.raises(UsageError, match=r"checkpoint_epoch=3\.pt: 3 epochs are done, 2 are asked for"):
        Training(tmp_path, epochs=2, resume=True)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Training(tmp_path, epochs=2)
    sound = (tmp_path / "checkpoint_epoch=2.pt").read_bytes()
    (tmp_path / "checkpoint_epoch=3.pt").write_bytes(sound[: len(sound) // 2])
    resumed = Training(tmp_path, epochs=3, resume=True)
    assert len(resumed.rates) == 2
    assert any("checkpoint_epoch=3.pt: damaged" in message for message in caplog.messages)
    assert torch.load(tmp_path / "checkpoint_epoch=3.pt", weights_only=True)["trainer"]["iteration"] == 6


def test_damaged_checkpoints_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint_epoch=3.pt").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"none of 1 checkpoint\*\.pt is sound to resume from"):
        latest_checkpoint(tmp_path)


def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path: Path) -> None:
    training = Training(tmp_path, epochs=1)
    other = {**training.state, "network": torch.nn.Linear(2, 1, bias=False)}
    with pytest.raises(UsageError, match=r"does not fit: weight is \(1, 1\), expected \(1, 2\)") as refusal:
        ResumeTraining(tmp_path, other).restore()
    assert "\n" not in str(refusal.value)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    training = Training(tmp_path, epochs=1)
    with pytest.raises(UsageError, match="holds network, optimizer, lr_scheduler, trainer, not best"):
        ResumeTraining(tmp_path, {**training.state, "best": training.network}).restore()


def test_a_schedule_that_follows_scores_goes_on_at_its_rate(tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(3):
        schedule.step(1.0)
    lowered = optimizer.param_groups[0]["lr"]
    torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, tmp_path / "checkpoint.pt")
    fresh = torch.optim.SGD(network.parameters(), lr=0.1)
    fresh_schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(fresh, patience=0)
    ResumeTraining(tmp_path, {"optimizer": fresh, "schedule": fresh_schedule}).restore()
    assert lowered == fresh.param_groups[0]["lr"] == pytest.approx(0.001)


def test_state_is_restored_before_the_first_epoch(tmp_path: Path) -> None:
    Training(tmp_path, epochs=1)
    trainer = Engine(lambda engine, batch: None)
    seen: list[int] = []
    ResumeTraining(tmp_path, {"trainer": trainer}).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: seen.append(engine.state.epoch))
    trainer.run(range(2), max_epochs=3)
    assert seen == [2, 3]
