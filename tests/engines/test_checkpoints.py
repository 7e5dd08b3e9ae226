"""Tests of the checkpoints of a training: the best and the latest one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser

from s3net_monai.engines import BestCheckpoint, latest_checkpoint


def write_file(folder: Path, name: str, time: int) -> None:
    (folder / name).write_bytes(b"")
    os.utime(folder / name, (time, time))


def test_latest_is_newest_by_time_not_by_name(tmp_path: Path) -> None:
    for name, time in (("checkpoint_epoch=9.pt", 100), ("checkpoint_epoch=10.pt", 300), ("checkpoint_epoch=2.pt", 200)):
        write_file(tmp_path, name, time)
    write_file(tmp_path, "model.pt", 900)  # the weights alone: nothing to resume from
    write_file(tmp_path, "checkpoint_epoch=11.pt.part", 900)
    assert latest_checkpoint(tmp_path) == str(tmp_path / "checkpoint_epoch=10.pt")
    assert latest_checkpoint(str(tmp_path)) == latest_checkpoint(tmp_path)


def test_latest_from_a_config(tmp_path: Path) -> None:
    write_file(tmp_path, "checkpoint_epoch=1.pt", 100)
    config = {"_target_": "s3net_monai.engines.latest_checkpoint", "folder": str(tmp_path)}
    assert ConfigParser({"path": config}).get_parsed_content("path") == str(tmp_path / "checkpoint_epoch=1.pt")


@pytest.mark.parametrize("name", ["", "missing"])
def test_without_a_checkpoint_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError) as refusal:
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
