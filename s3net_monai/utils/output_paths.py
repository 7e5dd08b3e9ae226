"""Checks of where results will be written, before the work whose results they are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.messages import one_line

REMEDIES = {
    errno.EEXIST: "a file of this name exists where a folder is needed; give another path or rename the file",
    errno.ENOTDIR: "a part of the path is a file, a folder is needed; give another path",
    errno.EISDIR: "a folder, a file is to be written there; give another path or rename the folder",
    errno.EACCES: "no permission; change the permissions or give another path",
    errno.EPERM: "no permission; change the permissions or give another path",
    errno.EROFS: "on a read-only file system; give another path",
    errno.ENOSPC: "no space left on its disk; free some or give a path on another disk",
    errno.EDQUOT: "the disk quota is used up; free some space or give a path on another disk",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENAMETOOLONG: "the name is too long; give a shorter path",
}


def check_output_folder(folder: Path, files: Iterable[str] = ()) -> None:
    """Refuse a folder that cannot be written to, without making it.

    Args:
        folder: a folder that exists or will be made.
        files: names of files that will be written there.

    Raises:
        UsageError: when a part of its path is a file, when it is not writable, or when one of the files is a folder.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not existing.is_dir():
        which = "a file" if existing == folder else f"{existing} is a file"
        raise UsageError(f"{folder}: {which}, a folder is expected for the results; give another path")
    if not os.access(existing, os.W_OK | os.X_OK):
        problem = "not writable" if existing == folder else f"cannot be made, {existing} is not writable"
        raise UsageError(f"{folder}: {problem}; change the permissions or give another path")
    for name in files:
        check_output_file(folder / name)


def check_output_file(path: Path) -> None:
    """Refuse a file that cannot be written, without writing it.

    Raises:
        UsageError: when it is a folder, or when its folder cannot be written to.
    """
    if path.is_dir():
        raise UsageError(f"{path}: a folder, a file is to be written there; give another path or rename the folder")
    check_output_folder(path.parent)


def os_error_line(error: OSError) -> str:
    """Return what the operating system refused, as one line with the file and a remedy."""
    path = error.filename2 or error.filename
    remedy = REMEDIES.get(error.errno or 0)
    if path is None or remedy is None:
        return one_line(error, limit=400)
    return one_line(f"{os.fsdecode(path)}: {remedy}", limit=400)
