"""Scratch folders: private, removed at the end, and removed by the next process after a kill."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3net_monai.cli import main
from s3net_monai.utils import scratch
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.scratch import remove_stale, scratch_folder

HOLD = """
import pathlib, sys
from s3net_monai.utils.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "series").mkdir()
    (folder / "series" / "image.dcm").write_bytes(b"patient")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "_searched", set())
    return folder


@contextmanager
def process_with_folder() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that holds a scratch folder with a file in it."""
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def killed_folder() -> Path:
    with process_with_folder() as (process, folder):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / "series" / "image.dcm").read_bytes() == b"patient"
    return folder


def test_the_folder_is_private_and_removed_at_the_end(own_temporary_folder: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == own_temporary_folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "image.dcm").touch()
        with scratch_folder() as second:
            assert second != folder
    assert list(own_temporary_folder.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), scratch_folder():
        raise KeyboardInterrupt
    assert list(own_temporary_folder.iterdir()) == []


def test_a_killed_process_leaves_nothing_behind_for_longer_than_the_next_start(
    own_temporary_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stale = killed_folder()
    with process_with_folder() as (process, in_use):
        assert not stale.exists()  # removed by the other process
        second = killed_folder()
        caplog.clear()
        with scratch_folder():
            assert not second.exists()
            assert (in_use / "series" / "image.dcm").exists()  # whose process lives
        process.communicate("")
    (message,) = (record.getMessage() for record in caplog.records)
    assert message == f"removed temporary folders of killed runs from {own_temporary_folder}: {second.name}"
    assert list(own_temporary_folder.iterdir()) == []


def test_a_process_searches_once(own_temporary_folder: Path) -> None:
    with scratch_folder():
        pass
    stale = killed_folder()
    with scratch_folder():
        assert stale.exists()


def test_folders_that_may_be_of_others_remain(
    own_temporary_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = killed_folder()
    (lock,) = (path for path in stale.iterdir() if path.name.endswith(".lock"))
    foreign = {
        name: own_temporary_folder / f"s3net-{name}" for name in ("unlocked", "shared", "machine", "link", "file")
    }
    for name in ("unlocked", "shared", "machine"):
        foreign[name].mkdir(mode=0o700)
    (foreign["unlocked"] / "image.dcm").touch()  # of an earlier version
    (foreign["shared"] / lock.name).touch()
    foreign["shared"].chmod(0o755)
    (foreign["machine"] / ".other-machine.lock").touch()
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (target / lock.name).touch()
    foreign["link"].symlink_to(target)
    foreign["file"].touch()
    linked_lock = own_temporary_folder / "s3net-linked-lock"
    linked_lock.mkdir(mode=0o700)
    (linked_lock / lock.name).symlink_to(target / lock.name)
    with scratch_folder() as own:
        assert set(own_temporary_folder.iterdir()) == {own, linked_lock, *foreign.values()}
        assert (target / lock.name).exists()
        user = os.getuid()
        left = killed_folder()
        monkeypatch.setattr(os, "getuid", lambda: user + 1)
        assert remove_stale(own) == []
        monkeypatch.undo()
        assert remove_stale(own) == [left]


def test_nothing_is_removed_where_locks_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = killed_folder()

    @contextmanager
    def no_lock(*_: object, **__: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(scratch, "exclusive_lock", no_lock)
    with scratch_folder():
        assert stale.exists()


def test_a_folder_whose_lock_is_not_held_yet_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process removes it between the making of the lock's file and the lock."""
    original = scratch.exclusive_lock
    removed: list[Path] = []

    @contextmanager
    def late_lock(file: Path, *, wait: float | None = None) -> Iterator[None]:
        if not removed:
            removed.append(file.parent)
            with original(file, wait=wait):
                for path in (file, file.parent):
                    path.unlink() if path.is_file() else path.rmdir()
                yield
        else:
            with original(file, wait=wait):
                yield

    monkeypatch.setattr(scratch, "exclusive_lock", late_lock)
    with scratch_folder() as folder:
        assert folder != removed[0]
        assert folder.is_dir()
        assert not removed[0].exists()


def test_processes_that_start_at_once_keep_their_folders(own_temporary_folder: Path) -> None:
    command = [
        *(sys.executable, "-c"),
        "from s3net_monai.utils import scratch\n"
        "for _ in range(100):\n"
        "    scratch._searched.clear()\n"
        "    with scratch.scratch_folder() as folder:\n"
        "        (folder / 'image.dcm').write_bytes(b'1')\n"
        "        assert (folder / 'image.dcm').read_bytes() == b'1'\n",
    ]
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True), range(3)))
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 3
    assert list(own_temporary_folder.iterdir()) == []


@pytest.mark.parametrize("variable", ["TMPDIR", "TEMP", "TMP"])
def test_a_stated_folder_that_does_not_exist_is_refused(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "absent"))
    with (
        pytest.raises(UsageError, match=rf"^{variable} is .*absent, but .* go to .* \(no such file.*\); set it"),
        scratch_folder(),
    ):
        pass


def test_a_full_stated_folder_is_refused(own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, opened = str(own_temporary_folder), os.open

    def open_file(path: str, *arguments: int, **options: int) -> int:
        if str(path).startswith(full):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_file)
    with pytest.raises(UsageError, match=r"\(no space left on device\); set it to a folder"), scratch_folder():
        pass


def test_a_folder_that_was_full_when_the_process_began_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(UsageError, match="not usable when this process began"), scratch_folder():
        pass


def test_segment_ends_with_code_two_before_a_file_is_unpacked(
    skin_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    (tmp_path / "a.zip").touch()
    words = [tmp_path / "a.zip", "--task", "skin", "--bundle", skin_bundle, "--output", tmp_path / "out"]
    assert main(["segment", *map(str, words)]) == 2
    assert "TMPDIR is" in capsys.readouterr().err


def test_a_relative_stated_folder_is_used(
    own_temporary_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", "tmp")
    with scratch_folder() as folder:
        assert folder.parent == own_temporary_folder
