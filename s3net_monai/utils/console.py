"""What a command line program writes to standard error beside its own messages."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from s3net_monai.utils.printing import PrintingHandler, print_warnings

NOISY_LOGGERS = ("monai", "highdicom", "pydicom")


def log_to_stderr() -> None:
    """Send log messages to standard error: warnings of this package, errors of others, nothing of the noisy ones."""
    # Libraries warn about every odd header, value included: noise, and a way for names into logs.
    warnings.simplefilter("ignore")
    print_warnings()  # of libraries that set another filter
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s: %(message)s", handlers=[PrintingHandler()])
    logging.getLogger("s3net_monai").setLevel(logging.WARNING)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def closed_pipes_are_quiet() -> Iterator[None]:
    """Go on without a word where the reader of standard output or error has gone, as in ``s3net info | head``.

    A run of hours is not ended by a pager that was closed, nor by a full disk for its messages. Results that cannot be
    written to standard output for another reason are an error.

    Raises:
        OSError: for standard output on a full or broken disk, with its name.
    """
    original = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Quiet(sys.stdout), _Quiet(sys.stderr)
    try:
        yield
    finally:
        try:
            sys.stdout.flush()  # here, since Python itself would complain at its end
            sys.stderr.flush()
        finally:
            sys.stdout, sys.stderr = original


class _Quiet:
    """A text stream whose writes are dropped from the moment when its pipe is closed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError) and sys.stdout is self:
            raise OSError(error.errno, error.strerror, "standard output") from None
