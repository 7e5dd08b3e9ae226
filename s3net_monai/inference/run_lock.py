"""One run a folder at a time: two would take each other's half-written files away and overwrite one report."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3net_monai.inference.errors import UsageError

LOCK_NAME = ".run.lock"


@contextmanager
def only_run_in(folder: Path, *, beside_shards: bool) -> Iterator[None]:
    """Hold ``folder`` for the run; shards hold it together.

    The lock goes with the process, whatever ends it, and no forked worker keeps it. Where a file system knows no locks,
    there is none.

    Raises:
        UsageError: while another run holds the folder.
    """
    with (folder / LOCK_NAME).open("a+") as lock:
        try:
            fcntl.lockf(lock, (fcntl.LOCK_SH if beside_shards else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                problem = f"{folder}: another run writes into it; wait for its end, or give another folder"
                raise UsageError(problem) from error
        yield
