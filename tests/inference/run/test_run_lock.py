"""Two runs with one output folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3net_monai.inference import UsageError
from s3net_monai.inference.run.run_lock import run_lock

HOLD_LOCK = """
import sys
from pathlib import Path
from s3net_monai.inference.run.run_lock import run_lock
with run_lock(Path(sys.argv[1]), is_shard=sys.argv[2] == "shard"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start another process that locks ``tmp_path``, as a shard or a whole run."""
    processes: list[subprocess.Popen[str]] = []

    def start(kind: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path), kind]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_folder_is_locked_until_the_process_ends(
    tmp_path: Path, other_run: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = other_run("whole")
    for is_shard in (False, True):
        with (
            pytest.raises(UsageError, match="another run writes into it"),
            run_lock(tmp_path, is_shard=is_shard),
        ):
            pass
    process.kill()
    process.wait()
    with run_lock(tmp_path, is_shard=False):
        pass


@pytest.mark.slow
def test_shards_share_a_folder_that_no_whole_run_may_use(
    tmp_path: Path, other_run: Callable[[str], subprocess.Popen[str]]
) -> None:
    other_run("shard")
    with run_lock(tmp_path, is_shard=True):
        pass
    with pytest.raises(UsageError, match="another run"), run_lock(tmp_path, is_shard=False):
        pass
