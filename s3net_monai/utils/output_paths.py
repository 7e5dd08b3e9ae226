"""Checks of where results will be written, before the work whose results they are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.scratch import is_scratch

# What ends every later write as well: (what is wrong, what to do).
STORAGE = {
    errno.ENOSPC: ("no space left on its disk", "free some"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EFBIG: ("a file larger than its disk or this process (ulimit -f) may hold", "raise the limit"),
    errno.EROFS: ("on a read-only file system", "make it writable"),
    errno.EIO: ("its disk or network drive fails (input/output error)", "check it"),
}
REMEDIES = {
    errno.EEXIST: "a file of this name exists where a folder is needed; give another path or rename the file",
    errno.ENOTDIR: "a part of the path is a file, a folder is needed; give another path",
    errno.EISDIR: "a folder, a file is to be written there; give another path or rename the folder",
    errno.EACCES: "no permission; change the permissions or give another path",
    errno.EPERM: "no permission; change the permissions or give another path",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENAMETOOLONG: "the name is too long; give a shorter path",
    errno.ELOOP: "a link, a file is expected; remove it",
    **dict.fromkeys(
        (errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO),
        "its disk or network drive is gone; connect it again",
    ),
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
    if path is not None and error.errno in STORAGE:
        file = Path(os.fsdecode(path))
        return one_line(f"{file}: {storage_problem(error, scratch=is_scratch(file))}", limit=400)
    remedy = REMEDIES.get(error.errno or 0)
    if path is None or remedy is None:
        return one_line(error, limit=400)
    return one_line(f"{os.fsdecode(path)}: {remedy}", limit=400)


def storage_problem(error: OSError, *, scratch: bool = False) -> str:
    """Return what is wrong with the disk, and what to do, for an error of ``STORAGE``.

    Args:
        error: of writing.
        scratch: whether a temporary folder was written to, in place of one that the user gave.
    """
    what, remedy = STORAGE[error.errno or 0]
    return f"{what}; {remedy} or {'set TMPDIR to a folder' if scratch else 'give a path'} on another disk"


def is_full(error: BaseException | None) -> bool:
    """Return whether an error says that no file can be written any more, whichever file it was."""
    return isinstance(error, OSError) and error.errno in STORAGE and error.errno != errno.EIO
