"""Lock of an output folder: two runs in one folder would remove each other's files and overwrite the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import LockedError, exclusive_lock

LOCK_NAME = ".run.lock"
SHARD_LOCK_NAME = ".shard-{}.lock"
SHARD_START_SECONDS = 10.0  # other shards hold the lock of the folder only while they start


@contextmanager
def run_lock(folder: Path, *, is_shard: bool) -> Iterator[None]:
    """Lock ``folder`` for a run; the shards of one run share it.

    A whole run holds the lock of the folder and makes sure that no shard holds one. A shard holds the lock of the
    folder only while it acquires a numbered lock of its own.

    Args:
        folder: the output folder.
        is_shard: whether other shards of the same run may write into the folder.

    Raises:
        UsageError: while another run holds the folder.
    """
    with ExitStack() as run_locks:
        try:
            with ExitStack() as starting:
                starting.enter_context(exclusive_lock(folder / LOCK_NAME, wait=SHARD_START_SECONDS if is_shard else 0))
                if is_shard:
                    _acquire_shard_lock(folder, run_locks)
                else:
                    for path in folder.glob(SHARD_LOCK_NAME.format("*")):
                        with exclusive_lock(path, wait=0):
                            pass
                    run_locks.enter_context(starting.pop_all())
        except LockedError as error:
            problem = f"{folder}: another run writes into it; wait for its end, or give another folder"
            raise UsageError(problem) from error
        yield


def running_shards(folder: Path) -> int:
    """Return how many shards hold a lock of ``folder``, that of this process included."""
    count = 0
    for path in folder.glob(SHARD_LOCK_NAME.format("*")):
        try:
            with exclusive_lock(path, wait=0):
                pass
        except LockedError:
            count += 1
    return count


def _acquire_shard_lock(folder: Path, run_locks: ExitStack) -> None:
    """Acquire the first numbered lock that no other shard holds."""
    for number in count(1):
        try:
            run_locks.enter_context(exclusive_lock(folder / SHARD_LOCK_NAME.format(number), wait=0))
        except LockedError:
            continue
        return
