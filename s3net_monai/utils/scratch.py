"""Private temporary folders for images of patients; those of a killed process are removed at the next start."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import LockedError, exclusive_lock
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.printing import get_logger

PREFIX = "s3net-"
ATTEMPTS = 10  # to make a folder that no other process takes for a stale one
MAX_NAMED = 3  # removed folders that the message names
_VARIABLES = ("TMPDIR", "TEMP", "TMP")  # in the order in which Python looks at them

logger = get_logger(__name__)
_searched: set[Path] = set()  # folders that this process has searched for stale ones
_made: set[Path] = set()  # also those that are gone: an error is reported after the end of its folder


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder below ``TMPDIR`` that only this user can enter, and remove it at the end.

    A lock in it is held until then, or until the process ends. The first call in a process removes the folders of
    processes that were killed, and logs one line about them.

    Raises:
        UsageError: if the folder that ``TMPDIR``, ``TEMP`` or ``TMP`` names cannot be used.
        OSError: if no folder can be made.
    """
    _check_stated_folder()
    with ExitStack() as lock:
        folder = _locked_folder(lock)
        _made.add(folder)
        try:
            if folder.parent not in _searched:
                _searched.add(folder.parent)
                _log_removed(folder.parent, remove_stale(folder))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            shutil.rmtree(folder, ignore_errors=True)  # Windows keeps the lock's file while it is open
            if _holds_files(folder):
                logger.warning("%s could not be removed and may hold images of patients; delete it", folder)


def is_scratch(path: Path) -> bool:
    """Return whether a path is, or was, in a scratch folder of this process."""
    return not _made.isdisjoint((path, *path.parents))


def remove_stale(own: Path) -> list[Path]:
    """Remove the scratch folders beside ``own`` whose process has ended, and return those that held files.

    Everything else remains: links, folders of other users, folders without the lock's file, and folders of other
    machines, since not every file system shows locks to other machines; and all folders where locks have no effect.

    Args:
        own: the locked scratch folder of this process.
    """
    candidates = [folder for folder in sorted(own.parent.glob(f"{PREFIX}*")) if folder != own and _is_own(folder)]
    if not candidates or not _is_locked(own):
        return []
    removed = []
    for folder in candidates:
        try:
            with exclusive_lock(folder / _lock_name(), wait=0):
                held_files = _holds_files(folder)  # else it may be one that is only being made
                shutil.rmtree(folder, ignore_errors=True)  # under the lock, so that no two processes do
        except (LockedError, OSError, UsageError):  # in use, removed by its own process, or no lock file of ours
            continue
        removed += [folder] if held_files and not folder.exists() else []
    return removed


def _check_stated_folder() -> None:
    """Refuse a temporary folder that is stated and not used: Python takes another one then, and says nothing."""
    variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return
    stated, used = os.path.abspath(os.environ[variable]), os.path.abspath(tempfile.gettempdir())
    if stated == used:
        return
    reason = "it was not usable when this process began"
    try:
        with tempfile.TemporaryFile(dir=stated) as file:
            file.write(b"\0")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    raise UsageError(
        one_line(
            f"{variable} is {os.environ[variable]}, but temporary files would go to {used} ({reason}); set it to a "
            "folder that exists, has room and can be written to",
            limit=400,
        )
    )


def _locked_folder(lock: ExitStack) -> Path:
    for attempt in range(ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
        made = _identity(folder)
        try:
            lock.enter_context(exclusive_lock(folder / _lock_name(), wait=0))
            if _identity(folder) == made:
                return folder
        except (LockedError, OSError):
            if attempt == ATTEMPTS - 1:
                raise
        # Before the lock was held, another process looked for stale folders and removed this one. The lock may have
        # made it again, readable by others.
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)
    raise LockedError(str(folder))


def _identity(folder: Path) -> tuple[int, int, int, int]:
    status = folder.lstat()
    return status.st_dev, status.st_ino, status.st_mode, status.st_uid


def _holds_files(folder: Path) -> bool:
    """Whether there is anything beside the lock's file."""
    try:
        return any(name != _lock_name() for name in os.listdir(folder))
    except OSError:  # no such folder
        return False


def _lock_name() -> str:
    return f".{re.sub(r'[^A-Za-z0-9.-]', '_', platform.node())}.lock"


def _is_own(folder: Path) -> bool:
    """Whether this user made the folder on this machine, and it is no link."""
    if not hasattr(os, "getuid"):  # Windows, where nothing tells the owner
        return False
    try:
        status, lock = folder.lstat(), (folder / _lock_name()).lstat()
    except OSError:  # another user's, without the lock's file, or removed at this moment
        return False
    is_private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return is_private and stat.S_ISREG(lock.st_mode) and {status.st_uid, lock.st_uid} == {os.getuid()}


def _is_locked(folder: Path) -> bool:
    try:
        with exclusive_lock(folder / _lock_name(), wait=0):
            return False
    except LockedError:
        return True


def _log_removed(parent: Path, removed: list[Path]) -> None:
    if removed:
        names = ", ".join(folder.name for folder in removed[:MAX_NAMED]) + (", …" if len(removed) > MAX_NAMED else "")
        logger.warning("removed temporary folders of killed runs from %s: %s", parent, names)
