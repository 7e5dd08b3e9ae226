"""What ends a run early: storage that takes no more files. Every other case would fail as well."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from s3net_monai.utils.messages import causes
from s3net_monai.utils.output_paths import is_full, os_error_line, storage_problem
from s3net_monai.utils.scratch import is_scratch

CONTINUE = "then continue with --resume"


class StorageError(Exception):
    """The output folder or the temporary folder cannot be written to any more.

    Args:
        folder: which folder.
        reason: what is wrong and what to do, without the folder.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, f"{reason}, {CONTINUE}"

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


def output_storage_error(
    error: BaseException, output: Path, *, source_is_readable: Callable[[], bool] = lambda: True
) -> StorageError | None:
    """Return why no further case can be written after an error of writing; None for an error of that case alone.

    Args:
        error: of writing a case or the report.
        output: the folder of the run.
        source_is_readable: tells an input that fails from an output that does, since writers also read the source.
    """
    for link in causes(error):
        if not isinstance(link, OSError) or link.errno is None:
            continue
        if link.filename is not None and is_scratch(Path(os.fsdecode(link.filename))):
            return scratch_storage_error(link)
        if is_full(link) or (link.errno == errno.EIO and source_is_readable()):
            return StorageError(output, storage_problem(link))
        return _lost_folder(output)
    return None


def scratch_storage_error(error: BaseException) -> StorageError | None:
    """Return why no further case can be read after an error of reading; None for an error of that case alone."""
    full = next((link for link in causes(error) if is_full(link)), None)
    if not isinstance(full, OSError):
        return None
    return StorageError(Path(tempfile.gettempdir()), storage_problem(full, scratch=True))


@contextmanager
def passing_errors(output: Path) -> Iterator[None]:
    """Go on after an error of a network drive that may come back; if it does not, the write at the end reports it.

    Raises:
        StorageError: when the disk of ``output`` is full.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageError(output, storage_problem(error)) from error


def _lost_folder(output: Path) -> StorageError | None:
    """Return why nothing can be written to a folder, for example a network drive that is gone; None if it can."""
    try:
        with tempfile.TemporaryFile(dir=output) as file:
            file.write(b"\0")
    except OSError as error:
        error.filename = os.fspath(output)
        return StorageError(output, os_error_line(error).removeprefix(f"{output}: "))
    return None
