"""Tests of the checkpoints of a training: the best and the latest one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser

from s3net_monai.engines import AtomicCheckpointSaver, BestCheckpoint
from s3net_monai.engines.resume import latest_checkpoint
from s3net_monai.utils.errors import TrainingError, UsageError


def write_checkpoint(folder: Path, name: str, time: int) -> None:
    torch.save({"name": name}, folder / name)
    os.utime(folder / name, (time, time))


def test_latest_is_newest_by_time_not_by_name(tmp_path: Path) -> None:
    for name, time in (("checkpoint_epoch=9.pt", 100), ("checkpoint_epoch=10.pt", 300), ("checkpoint_epoch=2.pt", 200)):
        write_checkpoint(tmp_path, name, time)
    write_checkpoint(tmp_path, "model.pt", 900)  # the weights alone: nothing to resume from
    write_checkpoint(tmp_path, "checkpoint_epoch=11.pt.part", 900)
    expected = (tmp_path / "checkpoint_epoch=10.pt", {"name": "checkpoint_epoch=10.pt"})
    assert latest_checkpoint(tmp_path) == latest_checkpoint(str(tmp_path)) == expected


@pytest.mark.parametrize("name", ["", "missing"])
def test_without_a_checkpoint_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as refusal:
        latest_checkpoint(tmp_path / name)
    expected = "no checkpoint*.pt to resume from; start without resume, or set ckpt_dir"
    assert str(refusal.value) == f"{tmp_path / name}: {expected}"


def saved_scores(folder: Path, scores: list[float], state: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the state of a saver after scores that are also the weights at that time."""
    network = torch.nn.Linear(1, 1, bias=False)
    config = {"_target_": "s3net_monai.engines.BestCheckpoint", "save_dir": str(folder), "network": network}
    saver: BestCheckpoint = ConfigParser({"saver": config}).get_parsed_content("saver")
    evaluator = Engine(lambda engine, batch: None)
    evaluator.state.key_metric_name = "score"  # as MONAI's evaluator sets it
    if state is not None:
        saver.load_state_dict(state)
    saver.attach(evaluator)
    for score in scores:
        torch.nn.init.constant_(network.weight, score)
        evaluator.state.metrics = {"score": score}
        saver.metrics_completed(evaluator)
    return saver.state_dict()


def saved_weight(folder: Path) -> float:
    return torch.load(folder / "model.pt", weights_only=True)["weight"].item()


def test_the_highest_score_is_kept(tmp_path: Path) -> None:
    saved_scores(tmp_path, [0.25, 0.75, 0.5])
    assert saved_weight(tmp_path) == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(("later", "expected"), [([0.5, 0.625], 0.75), ([0.5, 0.875], 0.875)])
def test_a_resumed_training_compares_with_the_last_score(tmp_path: Path, later: list[float], expected: float) -> None:
    state = saved_scores(tmp_path, [0.25, 0.75])
    torch.save({"best": state}, tmp_path / "checkpoint.pt")
    saved_scores(tmp_path, later, torch.load(tmp_path / "checkpoint.pt", weights_only=True)["best"])
    assert saved_weight(tmp_path) == expected


def test_a_score_without_its_weights_is_discarded(tmp_path: Path) -> None:
    state = saved_scores(tmp_path, [0.75])
    (tmp_path / "model.pt").unlink()
    saved_scores(tmp_path, [0.5], state)
    assert saved_weight(tmp_path) == 0.5


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_never_the_best(tmp_path: Path, score: float) -> None:
    with pytest.raises(TrainingError, match=r"validation after epoch \d+: score is (nan|inf)"):
        saved_scores(tmp_path, [0.25, score])
    assert saved_weight(tmp_path) == 0.25


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def trainer_with(folder: Path, network: torch.nn.Module, **options: Any) -> Engine:
    trainer = Engine(lambda engine, batch: torch.nn.init.constant_(network.weight, engine.state.iteration))
    saver = AtomicCheckpointSaver(str(folder), {"model": network}, **options)
    saver.attach(trainer)
    return trainer


@pytest.mark.parametrize(
    "options",
    [{"save_interval": 1, "n_saved": 1}, {"save_final": True, "final_filename": "model.pt"}],
    ids=["checkpoint", "final"],
)
def test_a_full_disk_leaves_the_file_before_it(tmp_path: Path, options: dict[str, Any]) -> None:
    network = torch.nn.Linear(100, 100, bias=False)
    trainer_with(tmp_path, network, **options).run([0], max_epochs=1)
    (before,) = tmp_path.iterdir()
    content = before.read_bytes()
    trainer = trainer_with(tmp_path, network, **options)
    with full_disk(free=1000), pytest.raises(TrainingError, match=r"cannot be written .*free space"):
        trainer.run([0], max_epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == [before.name], "no partial file may stay"
    assert before.read_bytes() == content


def test_the_old_checkpoint_goes_when_the_new_one_is_complete(tmp_path: Path) -> None:
    network = torch.nn.Linear(100, 100, bias=False)
    trainer = trainer_with(tmp_path, network, save_interval=1, n_saved=1)

    def fill(engine: Engine) -> None:
        if engine.state.epoch == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    trainer.add_event_handler(Events.EPOCH_STARTED, fill)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(TrainingError):
            trainer.run([0], max_epochs=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (kept,) = tmp_path.iterdir()
    assert torch.load(kept, weights_only=True)["weight"].unique().tolist() == [2.0]


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    trainer = trainer_with(tmp_path, network, save_final=True, final_filename="model.pt")
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: torch.nn.init.constant_(network.weight, float("nan")))
    with pytest.raises(TrainingError, match=r"model\.pt is not written: weight is not finite"):
        trainer.run([0])
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_no_final_file(tmp_path: Path) -> None:
    """Its weights are those of a training that was cut short."""
    trainer = trainer_with(tmp_path, torch.nn.Linear(1, 1, bias=False), save_final=True, final_filename="model.pt")

    def fail() -> None:
        raise RuntimeError("in the middle")

    trainer.add_event_handler(Events.EPOCH_COMPLETED, fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        trainer.run([0])
    assert list(tmp_path.iterdir()) == []
