"""Two runs with one output folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from s3net_monai.inference import UsageError
from s3net_monai.inference.run.run_lock import run_lock, running_shards

HOLD_LOCK = """
import sys
from pathlib import Path
from s3net_monai.inference.run.run_lock import run_lock
number, count = sys.argv[2].split("/")
with run_lock(Path(sys.argv[1]), (int(number), int(count)), lambda others_run: None):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start another process that locks ``tmp_path``, as the shard I/N; 1/1 is a whole run."""
    processes: list[subprocess.Popen[str]] = []

    def start(shard: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path), shard]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def lock(folder: Path, shard: tuple[int, int]) -> AbstractContextManager[None]:
    return run_lock(folder, shard, lambda others_run: None)


@pytest.mark.slow
def test_a_folder_is_locked_until_the_process_ends(
    tmp_path: Path, other_run: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = other_run("1/1")
    for shard in ((1, 1), (1, 2)):
        with pytest.raises(UsageError, match="another run writes into it; wait"), lock(tmp_path, shard):
            pytest.fail("two runs in one folder")
    process.kill()
    process.wait()
    with lock(tmp_path, (1, 1)):
        pass


@pytest.mark.slow
def test_shards_share_a_folder_with_the_other_shards_of_their_run_alone(
    tmp_path: Path, other_run: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = other_run("1/3")
    others: list[bool] = []
    with run_lock(tmp_path, (2, 3), others.append), run_lock(tmp_path, (3, 3), others.append):
        pass
    assert others == [True, True]
    for shard, problem in {
        (1, 3): "shard 1/3 is running already",
        (2, 4): "shard 1/3 writes into it, so --shard I/3 is expected",
        (1, 1): "another run writes into it",
    }.items():
        with pytest.raises(UsageError, match=problem), lock(tmp_path, shard):
            pytest.fail(f"{shard} beside 1/3")
    process.kill()
    process.wait()
    with run_lock(tmp_path, (1, 3), others.append):
        assert running_shards(tmp_path) == [(1, 3)]
    assert others[2:] == [False]


def test_what_a_killed_shard_left_is_removed_by_the_last_one_that_ends(tmp_path: Path) -> None:
    left = tmp_path / ".partial-1"
    with lock(tmp_path, (1, 2)):
        with lock(tmp_path, (2, 2)):
            left.mkdir()  # may be the other shard's
        assert left.is_dir()
    assert not left.exists()
    left.mkdir()
    with lock(tmp_path, (2, 2)):
        assert not left.exists()


def test_nothing_is_held_after_a_refusal_to_begin(tmp_path: Path) -> None:
    def refuse(others_run: bool) -> None:
        raise UsageError("other settings")

    with pytest.raises(UsageError, match="other settings"), run_lock(tmp_path, (1, 2), refuse):
        pytest.fail("the block ran")
    with lock(tmp_path, (1, 1)):
        pass
