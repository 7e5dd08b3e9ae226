"""The command ``python -m benchmarks``: exit codes, one-line errors, output streams."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.speed.measure import Plan
from tests.helpers.paths import ROOT


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "example: python -m benchmarks skin" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["liver"], ["skin"], ["skin", "--output"]])
def test_argparse_errors_are_exit_code_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["skin"], "skin: --data is missing; give the folder that holds skin/ and lung/"),
        (["cardiac"], "cardiac: --data is missing; give the folder that holds cardiac/"),
        (["corrections", "--data", "data", "--labels", "1"], "--labels is for cardiac and abdomen; leave it out"),
        (["speed", "--labels", "1"], "speed: --labels is for the other benchmarks; leave it out"),
        (["faults", "--work", "folder"], "faults: --work is for the other benchmarks; leave it out"),
        (["faults", "--data", "data"], "faults: --data is for the other benchmarks; leave it out"),
        (["speed", "--rows", "floods"], "speed: row 'floods' is not known; give one or more of ct,pictures,"),
        (["faults", "--rows", "floods"], "faults: row 'floods' is not known; give one or more of bit-flips,"),
    ],
)
def test_unusable_requests_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--output", str(tmp_path / "x.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("benchmarks: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_speed_prints_the_page_that_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def measure(output: Path, plan: Plan, *, names: Sequence[str]) -> Path:
        asked.extend([plan.work, plan.data, names])
        page = output.with_suffix(".md")
        page.write_text("# Speed\n")
        return page

    monkeypatch.setattr("benchmarks.speed.run.run_speed", measure)
    options = ["--work", str(tmp_path), "--data", "data", "--rows", "ct,jpeg"]
    assert main(["speed", "--output", str(tmp_path / "speed.json"), *options]) == 0
    assert asked == [tmp_path / "speed", Path("data"), ("ct", "jpeg")]
    assert capsys.readouterr().out == "# Speed\n\n"


def test_interrupted_runs_are_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(output: Path, plan: Plan, *, names: Sequence[str]) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.speed.run.run_speed", interrupt)
    assert main(["speed", "--output", str(tmp_path / "speed.json")]) == 1
    assert capsys.readouterr().err == "benchmarks: interrupted\n"


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "skin", "--output", str(tmp_path / "x.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("benchmarks: error: skin: --data is missing")
