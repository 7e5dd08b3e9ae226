"""Exclusive locks between processes, on every operating system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from s3net_monai.utils.errors import UsageError

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
        FileNotFoundError: if its folder does not exist.
        UsageError: if ``file`` is a link or has content, so that it is no lock file.
    """
    if not file.parent.is_dir():  # which filelock would make, in the place of a drive that is gone
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.parent))
    _check_lock_file(file)
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


def _check_lock_file(file: Path) -> None:
    """Refuse what is not the empty file that a lock leaves.

    Releases of filelock before 4.2.1, which are the newest ones for Python 3.10, empty the file that they lock. A link
    that is put there after this check is not followed by filelock.
    """
    try:
        status = os.lstat(file)
    except OSError:  # there is none yet, or opening it says what is wrong
        return
    if stat.S_ISDIR(status.st_mode):  # opening it says so
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise UsageError(f"{file}: a link or a special file, a lock file is expected; remove it")
    if status.st_size:
        raise UsageError(f"{file}: a file with content, an empty lock file is expected; move it away")
