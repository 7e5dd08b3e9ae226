"""Environments are made once for a version, and again for another one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.speed import environments
from benchmarks.speed.environments import BEFORE, LUNGMASK, ROOT, build_before, lungmask_build, this_build
from benchmarks.speed.measured import MeasureError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been run."""
    run: list[list[str]] = []

    def note(command: list[str]) -> None:
        run.append([str(part) for part in command])
        if "archive" in command:
            Path(command[command.index("--output") + 1]).touch()

    monkeypatch.setattr(environments, "_run", note)
    return run


def test_this_build_is_the_checkout() -> None:
    assert (this_build().python, this_build().folder) == (Path(sys.executable), ROOT)


def test_the_build_before_is_made_once_of_its_own_constraints(tmp_path: Path, commands: list[list[str]]) -> None:
    build = build_before(tmp_path)
    assert build.folder == tmp_path / "before" / "source"
    assert build.python == tmp_path / "before" / "environment" / "bin" / "python"
    assert commands[1][-1] == BEFORE
    assert str(build.folder / "constraints.txt") in commands[-1]
    assert commands[-1][0] == str(build.python)
    made = len(commands)
    assert build_before(tmp_path) == build
    assert len(commands) == made


def test_an_environment_of_another_version_is_made_again(tmp_path: Path, commands: list[list[str]]) -> None:
    lungmask_build(tmp_path)
    (tmp_path / "lungmask" / ".made").write_text("0.0.1")
    made = len(commands)
    lungmask_build(tmp_path)
    assert len(commands) == 2 * made
    assert f"lungmask=={LUNGMASK}" in commands[-1]


def test_a_command_that_fails_is_one_line() -> None:
    with pytest.raises(MeasureError, match=r"^python.* -c failed: no luck$"):
        environments._run([sys.executable, "-c", "raise SystemExit('noise\\nno luck')"])
