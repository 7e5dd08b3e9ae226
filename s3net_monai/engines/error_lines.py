"""Errors for users as one line at the end of ``python -m monai.bundle run``, in place of a traceback."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from s3net_monai.utils.messages import causes
from s3net_monai.utils.output_paths import is_full, os_error_line
from s3net_monai.utils.printing import print_note, print_traceback
from s3net_monai.utils.reasons import TRACEBACK, is_out_of_memory, message_for_users


def report_errors_in_one_line() -> None:
    """Have errors that end this process printed by ``print_error``."""
    sys.excepthook = print_error


def print_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught error to standard error: the message alone where it is for users, else with its traceback.

    The environment variable S3NET_TRACEBACK brings back the traceback.
    """
    lines = None if os.environ.get(TRACEBACK) else lines_for_users(error)
    if lines is None:
        print_traceback(error)
    else:
        # A progress bar of MONAI may have left the cursor within a line.
        print_note("", f"error: {lines[0]}", *lines[1:])


def lines_for_users(error: BaseException) -> list[str] | None:
    """Return what users can act on: messages of this project, a full disk, too little memory; None for other errors.

    Example:
        >>> lines_for_users(KeyboardInterrupt())
        ['interrupted; a training with checkpoints goes on with --resume True']
    """
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted; a training with checkpoints goes on with --resume True"]
    if (lines := message_for_users(error)) is not None:
        return lines
    for link in causes(error):
        if isinstance(link, OSError) and is_full(link):
            return [f"{os_error_line(link)}; then run it again"]
        if is_out_of_memory(link):
            return ["not enough memory; train with smaller batches or patches, or on another device"]
    return None
