"""That the best weights stay the best when a training is interrupted and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser

from s3net_monai.engines import BestCheckpoint


def saved_scores(folder: Path, scores: list[float], state: dict[str, Any] | None = None) -> dict[str, Any]:
    """State of a saver after the scores; the weights at each are its number."""
    network = torch.nn.Linear(1, 1, bias=False)
    config = {"_target_": "s3net_monai.engines.BestCheckpoint", "save_dir": str(folder), "network": network}
    saver: BestCheckpoint = ConfigParser({"saver": config}).get_parsed_content("saver")
    evaluator = Engine(lambda engine, batch: None)
    evaluator.state.key_metric_name = "score"  # as MONAI's evaluator says it
    if state is not None:
        saver.load_state_dict(state)
    saver.attach(evaluator)
    for score in scores:
        torch.nn.init.constant_(network.weight, score)
        evaluator.state.metrics = {"score": score}
        saver.metrics_completed(evaluator)
    return saver.state_dict()


def kept(folder: Path) -> float:
    return torch.load(folder / "model.pt", weights_only=True)["weight"].item()


def test_the_highest_score_is_kept(tmp_path: Path) -> None:
    saved_scores(tmp_path, [0.25, 0.75, 0.5])
    assert kept(tmp_path) == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(("later", "expected"), [([0.5, 0.625], 0.75), ([0.5, 0.875], 0.875)])
def test_a_resumed_training_compares_with_the_score_before(tmp_path: Path, later: list[float], expected: float) -> None:
    state = saved_scores(tmp_path, [0.25, 0.75])
    torch.save({"best": state}, tmp_path / "checkpoint.pt")
    saved_scores(tmp_path, later, torch.load(tmp_path / "checkpoint.pt", weights_only=True)["best"])
    assert kept(tmp_path) == expected


def test_a_score_without_its_weights_protects_nothing(tmp_path: Path) -> None:
    state = saved_scores(tmp_path, [0.75])
    (tmp_path / "model.pt").unlink()
    saved_scores(tmp_path, [0.5], state)
    assert kept(tmp_path) == 0.5
