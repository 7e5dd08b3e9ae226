"""One run per folder: two would remove each other's half-written files and overwrite one report."""

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
    """Hold ``folder`` for a run; the shards of one run hold it together.

    A whole run holds the lock of the folder, and makes sure that no shard holds its own. A shard takes the lock of the
    folder only to take a lock of its own, the first that is free.

    Raises:
        UsageError: while another run holds the folder.
    """
    with ExitStack() as held:
        try:
            with ExitStack() as starting:
                starting.enter_context(exclusive_lock(folder / LOCK_NAME, wait=SHARD_START_SECONDS if is_shard else 0))
                if is_shard:
                    _hold_free_shard_lock(folder, held)
                else:
                    for path in folder.glob(SHARD_LOCK_NAME.format("*")):
                        with exclusive_lock(path, wait=0):
                            pass
                    held.enter_context(starting.pop_all())
        except LockedError as error:
            problem = f"{folder}: another run writes into it; wait for its end, or give another folder"
            raise UsageError(problem) from error
        yield


def _hold_free_shard_lock(folder: Path, held: ExitStack) -> None:
    for number in count(1):
        try:
            held.enter_context(exclusive_lock(folder / SHARD_LOCK_NAME.format(number), wait=0))
        except LockedError:
            continue
        return
