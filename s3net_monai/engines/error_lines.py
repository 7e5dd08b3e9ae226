"""Errors for users as one line at the end of ``python -m monai.bundle run``, in place of a traceback."""

from __future__ import annotations

import errno
import os
import sys
from types import TracebackType

from s3net_monai.utils.messages import causes, one_line

TRACEBACK = "S3NET_TRACEBACK"  # set it to 1 to see where an error comes from
_PACKAGE = __name__.partition(".")[0]
_MAX_CHARACTERS = 600
_FULL = (errno.ENOSPC, errno.EDQUOT)


def report_errors_in_one_line() -> None:
    """Have errors that end this process printed by ``print_error``."""
    sys.excepthook = print_error


def print_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught error to standard error: the message alone where it is for users, else with its traceback.

    The environment variable S3NET_TRACEBACK brings back the traceback.
    """
    message = None if os.environ.get(TRACEBACK) else message_for_users(error)
    if message is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        print(f"\nerror: {message}", file=sys.stderr)  # a progress bar may have left the cursor within a line


def message_for_users(error: BaseException) -> str | None:
    """Return the message that this package wrote for users somewhere in the chain of causes, or None.

    Such a message is that of a ``ValueError`` or ``OSError`` that was raised by this package's own code, not by a
    library that it calls. A full disk is for users wherever it was noticed.

    Example:
        >>> message_for_users(KeyboardInterrupt())
        'interrupted; a training with checkpoints goes on with --resume True'
    """
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; a training with checkpoints goes on with --resume True"
    for link in causes(error):
        if isinstance(link, (ValueError, OSError)) and _raised_here(link):
            # A data set that cannot be used has one line per problem.
            return "\n".join(one_line(line, limit=_MAX_CHARACTERS) for line in str(link).splitlines())
        if isinstance(link, OSError) and link.errno in _FULL:
            return f"{one_line(link)}; free space and run it again"
    return None


def _raised_here(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return module.partition(".")[0] == _PACKAGE
