"""The command ``python -m benchmarks``: exit codes, one-line errors, output streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
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
        (["speed", "--data", "data"], "speed: --data is for the other benchmarks; leave it out"),
        (["speed", "--labels", "1"], "speed: --labels is for the other benchmarks; leave it out"),
        (["faults", "--work", "folder"], "faults: --work is for the other benchmarks; leave it out"),
        (["faults", "--data", "data"], "faults: --data is for the other benchmarks; leave it out"),
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


def test_speed_prints_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.speed.speed_benchmark", lambda: {"forward_256": {"median": 0.1}})
    assert main(["speed", "--output", str(tmp_path / "speed.json")]) == 0
    written = json.loads((tmp_path / "speed.json").read_text())
    assert json.loads(capsys.readouterr().out) == written == {"forward_256": {"median": 0.1}}


def test_interrupted_runs_are_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.speed.speed_benchmark", interrupt)
    assert main(["speed", "--output", str(tmp_path / "speed.json")]) == 1
    assert capsys.readouterr().err == "benchmarks: interrupted\n"


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "skin", "--output", str(tmp_path / "x.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("benchmarks: error: skin: --data is missing")
