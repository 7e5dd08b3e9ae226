"""Errors at the end of ``python -m monai.bundle run``: one line for users, a traceback for what is none of theirs."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from s3net_monai.data.readable import UnreadableCases
from s3net_monai.engines import load_network
from s3net_monai.engines.error_lines import lines_for_users, print_error
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.reasons import TRACEBACK


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
    assert lines_for_users(mistake.value) is None


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "no space left on its disk; free some"),
        (errno.EROFS, "on a read-only file system; make it writable"),
    ],
)
def test_a_full_disk_is_for_users_wherever_it_was_noticed(number: int, problem: str) -> None:
    lines = lines_for_users(OSError(number, "text of the system", "events.out"))
    assert lines == [f"events.out: {problem} or give a path on another disk; then run it again"]


def test_too_little_memory_is_for_users_wherever_it_was_noticed() -> None:
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory")
    expected = ["not enough memory; train with smaller batches or patches, or on another device"]
    assert lines_for_users(error) == expected
    assert lines_for_users(MemoryError()) == expected


def test_lines_of_a_data_set_stay_lines_and_those_of_a_name_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    unreadable = UnreadableCases()
    for name in ("a\x1b[2J\nerror: forged", "b"):
        with unreadable.collect({"case_id": name}):
            raise OSError("cut off")
    with pytest.raises(DataError) as refusal:
        unreadable.refuse(total=3)
    print_error(refusal.type, refusal.value, refusal.tb)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2:] == [
        r"a\x1b[2J\nerror: forged: damaged or cut off (cut off); copy it again",
        "b: damaged or cut off (cut off); copy it again",
    ]


def test_a_traceback_shows_names_in_visible_characters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as mistake:
        raise KeyError(Path("a\x1b[31m\u202e"))
    with pytest.raises(RuntimeError) as outer:
        raise RuntimeError("no a\x1b[31m\u202e") from mistake.value
    print_error(outer.type, outer.value, outer.tb)
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert r"RuntimeError: no a\x1b[31m\u202e" in printed
    assert all(line.isprintable() for line in printed.splitlines())
