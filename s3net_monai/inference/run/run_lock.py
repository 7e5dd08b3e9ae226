"""Locks of an output folder: two runs in one folder would remove each other's files and overwrite the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from s3net_monai.utils.atomic import remove_partial
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import LockedError, exclusive_lock

START_LOCK_NAME = ".run.lock"
SHARD_LOCK_NAME = ".shard-{}-of-{}.lock"
START_SECONDS = 30.0  # a run holds the lock of the folder only while it starts

Shard = tuple[int, int]  # (I, N): the I-th of N; (1, 1) is a whole run


@contextmanager
def run_lock(folder: Path, shard: Shard, begin: Callable[[bool], None]) -> Iterator[None]:
    """Lock one shard, or a whole run, in ``folder``; the shards of one run share the folder.

    Partial files of killed runs are removed while no other run writes.

    Args:
        folder: the output folder.
        shard: which of how many.
        begin: called while no other run can start, with whether other shards of the same run are running.

    Raises:
        UsageError: while the same shard, a whole run or shards of another number use the folder.
    """
    with ExitStack() as held:
        with _start_lock(folder):
            running = running_shards(folder)
            for other in running:
                _check_beside(folder, shard, other)
            held.enter_context(exclusive_lock(folder / SHARD_LOCK_NAME.format(*shard), wait=0))
            if not running:
                remove_partial(folder)
            begin(bool(running))
        try:
            yield
        finally:  # the last shard to end removes what one that was killed left
            with suppress(OSError, UsageError), _start_lock(folder):
                if running_shards(folder) == [shard]:
                    remove_partial(folder)


def running_shards(folder: Path) -> list[Shard]:
    """Return the shards whose locks are held, whole runs as (1, 1); only while no run can start."""
    running = []
    for path in sorted(folder.glob(SHARD_LOCK_NAME.format("*", "*"))):
        numbers = re.fullmatch(re.escape(SHARD_LOCK_NAME).replace(r"\{\}", r"(\d+)"), path.name)
        if numbers is None:
            continue
        try:
            with exclusive_lock(path, wait=0):
                pass
        except LockedError:
            running.append((int(numbers[1]), int(numbers[2])))
    return running


@contextmanager
def _start_lock(folder: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(exclusive_lock(folder / START_LOCK_NAME, wait=START_SECONDS))
        except LockedError as error:
            raise UsageError(f"{folder}: another run has been starting there for long; try again later") from error
        yield


def _check_beside(folder: Path, shard: Shard, running: Shard) -> None:
    """Refuse a run beside another one in the same folder."""
    (number, count), (other_number, other_count) = shard, running
    if count == 1 or other_count == 1:
        found = "another run writes into it"
    elif count != other_count:
        found = f"shard {other_number}/{other_count} writes into it, so --shard I/{other_count} is expected"
    elif number == other_number:
        found = f"shard {number}/{count} is running already"
    else:
        return
    raise UsageError(f"{folder}: {found}; wait for its end, or give another folder")
