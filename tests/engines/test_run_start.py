"""What is checked before a run reads anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from s3net_monai.engines import begin_run
from s3net_monai.engines.error_lines import print_error
from s3net_monai.utils.errors import UsageError


def test_folders_are_checked_and_not_made(tmp_path: Path) -> None:
    begin_run(tmp_path, tmp_path / "a" / "b", str(tmp_path / "c"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"file/run: .*/file is a file, a folder is expected for the results; give another path"
    ):
        begin_run(tmp_path, tmp_path / "file" / "run")


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(
        UsageError, match=r"run: cannot be made, .* is not writable; change the permissions or give another path"
    ):
        begin_run(tmp_path, tmp_path / "run")


def test_masks_that_will_be_overwritten_are_said_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "eval").mkdir()
    for name in ("a_seg.png", "b_seg.nii.gz", "report.json"):
        (tmp_path / "eval" / name).touch()
    begin_run(tmp_path, tmp_path / "eval", tmp_path / "new")
    (record,) = caplog.records
    assert record.getMessage() == (
        "eval: 2 masks are there already (a_seg.png, ...); those of the same cases will be overwritten"
    )


def test_a_python_program_keeps_its_own_words_and_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "run", "--config_file", "missing.json", "--max_epoch", "2"])
    begin_run(tmp_path)
    assert sys.excepthook is not print_error


def test_the_command_line_is_checked_where_it_is_that_of_monai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "train.json"
    config.write_text('{"max_epochs": 8, "run": ["$@max_epochs"]}')
    monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", "--config_file", str(config), "--max_epoch", "2"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    command = SimpleNamespace(__spec__=SimpleNamespace(name="monai.bundle.__main__"))
    monkeypatch.setitem(sys.modules, "__main__", command)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"did you mean --max_epochs\?"):
        begin_run(tmp_path)
    assert sys.excepthook is print_error
