"""Locks between processes where the file system has none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from filelock import FileLock

from s3net_monai.utils.locks import LockedError, exclusive_lock


def _refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def acquire(lock: FileLock) -> None:
        raise error

    monkeypatch.setattr(FileLock, "acquire", acquire)


@pytest.mark.parametrize(
    "error",
    [NotImplementedError("no flock"), *(OSError(code, "no locks") for code in (errno.ENOSYS, errno.ENOLCK))],
    ids=["filelock-3", "ENOSYS", "ENOLCK"],
)
def test_block_runs_on_a_file_system_without_locks(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, error)
    entered = []
    with exclusive_lock(tmp_path / "lock", wait=0):
        entered.append(True)
    assert entered == [True]


def test_other_refusals_of_the_file_system_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, PermissionError(errno.EACCES, "no right to write"))
    with pytest.raises(PermissionError), exclusive_lock(tmp_path / "lock", wait=0):
        pytest.fail("the block ran without the lock")


def test_second_holder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / "lock", wait=0),
        pytest.raises(LockedError),
        exclusive_lock(tmp_path / "lock", wait=0),
    ):
        pytest.fail("two hold one lock")
    with exclusive_lock(tmp_path / "lock", wait=0):
        pass


@pytest.mark.parametrize("error", [NotImplementedError("of the block"), OSError(errno.ENOSYS, "of the block")])
def test_error_of_the_block_is_raised_and_the_lock_released(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error), match="of the block"), exclusive_lock(tmp_path / "lock", wait=0):
        raise error
    with exclusive_lock(tmp_path / "lock", wait=0):
        pass
