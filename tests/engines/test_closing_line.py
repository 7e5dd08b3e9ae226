"""The last line of a training."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

import pytest
from ignite.engine import Engine, Events

from s3net_monai.engines import ClosingLine
from tests.helpers.paths import BUNDLES

BUNDLE = BUNDLES / "cardiac_mr_segmentation"


def last_line(caplog: pytest.LogCaptureFixture, handler: ClosingLine, weights: Path | None, stop: bool = False) -> str:
    """What is logged after a training of two epochs that writes these weights."""
    trainer = Engine(lambda engine, batch: None)
    if weights is not None:
        trainer.add_event_handler(Events.COMPLETED, lambda: weights.write_bytes(b"new"))
    if stop:
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: trainer.terminate())
    handler.attach(trainer)
    with caplog.at_level(logging.INFO):
        trainer.run([0], max_epochs=2)
    (line,) = (record.getMessage() for record in caplog.records if record.name.startswith("s3net_monai"))
    return line


def test_it_names_the_weights_and_a_command_that_can_be_pasted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = tmp_path / "a folder" / "model.pt"
    weights.parent.mkdir()
    line = last_line(
        caplog, ClosingLine(weights, BUNDLE, task="cardiac", overlays=["inference_bidirectional"]), weights
    )
    said, _, command = line.partition("; use them: ")
    assert said == f"2 of 2 epochs done; weights: {weights}"
    assert shlex.split(command) == [
        *("s3net", "segment", "IMAGES", "--task", "cardiac"),
        *("--config", str(BUNDLE / "configs" / "inference_bidirectional.json")),
        *("--checkpoint", str(weights), "--output", "MASKS"),
    ]


def test_a_bundle_without_a_task_is_run_by_monai(tmp_path: Path) -> None:
    command = shlex.split(ClosingLine("model.pt", BUNDLE, overlays=["inference_semantic"]).command())
    assert command[:4] == ["python", "-m", "monai.bundle", "run"]
    configs = [str(BUNDLE / "configs" / name) for name in ("inference.json", "inference_semantic.json")]
    assert command[command.index("--config_file") + 1] == f"['{configs[0]}','{configs[1]}']"
    assert command[command.index("--checkpoint") + 1] == "model.pt"


def test_an_encoder_is_for_the_next_training() -> None:
    assert ClosingLine("encoder.pt", BUNDLE, option="--pretrained").command().endswith(" --pretrained encoder.pt")


@pytest.mark.parametrize(
    ("before", "expected"),
    [(None, "no validation has chosen weights"), (b"old", "(those of the earlier run, with a higher score)")],
)
def test_weights_that_this_run_did_not_write_are_not_called_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: Any, expected: str
) -> None:
    weights = tmp_path / "model.pt"
    if before:
        weights.write_bytes(before)
    assert expected in last_line(caplog, ClosingLine(weights, BUNDLE, task="cardiac"), None)


def test_a_training_that_stopped_early_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = tmp_path / "model.pt"
    line = last_line(caplog, ClosingLine(weights, BUNDLE, task="cardiac"), weights, stop=True)
    assert line.startswith("stopped early, 1 of 2 epochs done")
