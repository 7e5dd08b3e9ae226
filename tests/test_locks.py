"""Locks between processes: where the file system has none, and where their file is not theirs."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from s3net_monai.utils import locks
from s3net_monai.utils.errors import UsageError
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


def _symbolic(lock: Path, target: Path) -> None:
    lock.symlink_to(target)


def _hard(lock: Path, target: Path) -> None:
    lock.hardlink_to(target)


@pytest.mark.parametrize("link", [_symbolic, _hard])
def test_a_link_in_the_place_of_a_lock_is_refused_and_its_target_stays(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    link(tmp_path / "lock", tmp_path / "precious")
    with pytest.raises(UsageError) as caught, exclusive_lock(tmp_path / "lock", wait=0):
        pytest.fail("a link was locked")
    assert str(caught.value) == f"{tmp_path}/lock: a link or a special file, a lock file is expected; remove it"
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_link_without_a_target_does_not_make_it(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="a link"), exclusive_lock(tmp_path / "lock", wait=0):
        pytest.fail("a link was locked")
    assert not (tmp_path / "elsewhere").exists()


def test_a_link_that_appears_after_the_check_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    monkeypatch.setattr(locks, "_check_lock_file", lambda file: None)
    with pytest.raises(OSError, match="lock") as caught, exclusive_lock(tmp_path / "lock", wait=0):
        pytest.fail("a link was followed")
    assert caught.value.errno == errno.ELOOP
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_file_with_content_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"precious")
    with pytest.raises(UsageError, match="a file with content"), exclusive_lock(tmp_path / "lock", wait=0):
        pytest.fail("a file with content was locked")
    assert (tmp_path / "lock").read_bytes() == b"precious"


def test_a_lock_file_stays_empty(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive_lock(tmp_path / "lock", wait=0):
            assert (tmp_path / "lock").read_bytes() == b""
