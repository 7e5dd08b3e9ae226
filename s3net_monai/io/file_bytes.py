"""The one way into image and label files: each is opened once, bounded, and all that is used of it comes from there.

Checks and readers get the same open file, so that a file that is exchanged between the two cannot differ.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError

BLOCK_BYTES = 2**18
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a pipe would keep the program waiting for somebody to write into it


@contextmanager
def open_file(path: Path, limit: int | None = None) -> Iterator[BinaryIO]:
    """Open an image or label file for reading, and see that it stays the same meanwhile.

    Args:
        path: the file.
        limit: bytes that it may have; None for ``limits.MAX_FILE_BYTES``.

    Raises:
        CaseError: if it cannot be opened, is no regular file, is larger than the limit, or changed while it was read.
    """
    limit = limits.MAX_FILE_BYTES if limit is None else limit
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | _AT_ONCE))  # noqa: SIM115
    except OSError as error:
        raise CaseError(f"{path.name}: not readable ({error.strerror}); check the file") from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise CaseError(f"{path.name}: not a regular file; give a file with an image")
        if status.st_size > limit:
            raise CaseError(f"{path.name}: {status.st_size} bytes, beyond the limit of {limit}; crop or resample it")
        yield file
        changed = _state(os.fstat(file.fileno())) != _state(status)
    if changed:
        raise CaseError(f"{path.name}: changed while it was read; wait until it is complete and run again")


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a file, in blocks."""
    return iter(partial(file.read, BLOCK_BYTES), b"")


def size_of(file: BinaryIO) -> int:
    """Return how many bytes an open file has."""
    return os.fstat(file.fileno()).st_size


def file_state(path: Path) -> tuple[int, ...]:
    """Return what differs where a file was written or exchanged since: its number, size and time of change."""
    return _state(path.stat())


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
