"""Exclusive locks between processes, on every operating system."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class LockedError(RuntimeError):
    """Another process holds the lock."""


@contextmanager
def exclusive_lock(file: Path, *, wait: float | None = None) -> Iterator[None]:
    """Hold ``file`` as a lock, which is released when the block or the process ends.

    On a file system without locks, nothing is locked.

    Args:
        file: the lock's own file; it remains, empty.
        wait: seconds to wait for another process; None waits forever.

    Raises:
        LockedError: if another process still holds the lock after ``wait`` seconds.
    """
    lock = FileLock(file, timeout=-1 if wait is None else wait, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(str(file)) from error
    except (NotImplementedError, OSError) as error:
        # Releases of filelock before the 4 of our constraints raise NotImplementedError in place of ENOSYS.
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        yield
        return
    try:
        yield
    finally:
        lock.release()
