"""Errors at the end of ``python -m monai.bundle run``: one line for users, a traceback for what is none of theirs."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from s3net_monai.data.readable import UnreadableCases
from s3net_monai.engines import load_network
from s3net_monai.engines.error_lines import TRACEBACK, message_for_users, print_error
from s3net_monai.utils.errors import DataError


def caught(path: Path) -> BaseException:
    """An error of this package within those of MONAI's parser."""
    try:
        try:
            load_network(torch.nn.Linear(1, 1), path)
        except Exception as error:
            raise RuntimeError("Failed to evaluate ConfigExpression") from error
    except RuntimeError as error:
        return error
    raise AssertionError("no error")


def test_the_cause_alone_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = caught(tmp_path / "nothing.pt")
    print_error(type(error), error, error.__traceback__)
    expected = f"error: {tmp_path}/nothing.pt: no such checkpoint of a network; train one, and name its file"
    assert capsys.readouterr().err.strip() == expected


def test_the_traceback_comes_back_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    error = caught(tmp_path / "nothing.pt")
    print_error(type(error), error, error.__traceback__)
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_another_library_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="shape") as mistake:
        torch.zeros(2).reshape(3)
    print_error(mistake.type, mistake.value, mistake.tb)
    assert "Traceback" in capsys.readouterr().err


def test_a_mistake_in_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ValueError, match="invalid literal") as mistake:
        int("a")
    assert message_for_users(mistake.value) is None


def test_a_full_disk_is_for_users_wherever_it_was_noticed() -> None:
    message = message_for_users(OSError(errno.ENOSPC, "No space left on device", "events.out"))
    assert message == "[Errno 28] No space left on device: 'events.out'; free space and run it again"


def test_lines_of_a_data_set_stay_lines_and_control_characters_go() -> None:
    unreadable = UnreadableCases()
    for name in ("a\x1b[2J", "b"):
        with unreadable.collect({"case_id": name}):
            raise OSError("cut off")
    with pytest.raises(DataError) as refusal:
        unreadable.refuse(total=3)
    lines = str(message_for_users(refusal.value)).splitlines()
    assert lines[1:] == ["a?[2J: damaged or cut off: cut off", "b: damaged or cut off: cut off"]
