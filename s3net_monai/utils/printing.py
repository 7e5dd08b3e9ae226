"""The one way to a terminal: every result, note, error, log record and progress bar of this project.

Names of files and texts of headers and servers may hold characters that move the cursor, change the colors or reverse
the direction of a line. Everything here is therefore written as ``visible`` shows it, and what the encoding of the
terminal lacks is escaped as well, so that no name ends a run. ``ruff`` refuses other ways (``pyproject.toml``).
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

from s3net_monai.utils.messages import one_line, visible

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")

_MAX_CHARACTERS = 1000  # of a record or a warning of a library


def print_result(*lines: object) -> None:
    """Print lines to standard output."""
    _write(sys.stdout, lines)


def print_note(*lines: object) -> None:
    """Print lines to standard error."""
    _write(sys.stderr, lines)


def print_json(value: Any) -> None:
    """Print JSON to standard output; its own escapes keep it to ASCII."""
    _write(sys.stdout, json.dumps(value, indent=2).split("\n"))


def print_path(path: Path) -> None:
    """Print a path that was written, for people and scripts, alone in its line of standard output.

    A terminal gets it as ``visible`` shows it; a pipe or a file gets the bytes of its name, so that a script finds it.
    """
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        print_result(path)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + os.fsencode("\n"))
    sys.stdout.flush()


def print_traceback(error: BaseException) -> None:
    """Print an error with the calls that led to it to standard error."""
    print_note(*"".join(traceback.format_exception(error)).rstrip("\n").split("\n"))


def progress_bar(iterable: Iterable[Item] | None = None, description: str = "", **options: Any) -> tqdm[Item]:
    """Return a progress bar on standard error.

    Args:
        iterable: what is counted; None for a bar that is updated by its user.
        description: what stands before the bar.
        options: of ``tqdm``.
    """
    from tqdm import tqdm

    return tqdm(iterable, desc=visible(description) or None, file=sys.stderr, **options)


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module, whose records are one visible line each, whoever prints them."""
    logger = logging.getLogger(name)
    logger.addFilter(_as_one_line)  # a filter is added once
    return logger


class PrintingHandler(logging.Handler):
    """Handler that prints the records of all libraries as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record as one line, and the traceback that comes with it as further ones."""
        shown = copy.copy(record)
        _make_visible(shown)
        print_note(*self.format(shown).split("\n"))


def make_log_visible() -> None:
    """Have the handlers of the process, whose ``logging.conf`` may name no class of ours, print visible lines."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_make_visible)


def print_warnings() -> None:
    """Have Python's own warnings printed as notes: they quote file names and values of headers."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print_note(f"{category.__name__}: {one_line(message, _MAX_CHARACTERS)}")

    warnings.showwarning = show


class ArgumentParser(argparse.ArgumentParser):
    """Parser that repeats what it refuses in visible characters."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with code 2."""
        super().error(visible(message))


def _as_one_line(record: logging.LogRecord) -> bool:
    record.msg, record.args = visible(record.getMessage()), None
    return True


def _make_visible(record: logging.LogRecord) -> bool:
    record.msg, record.args = one_line(record.getMessage(), _MAX_CHARACTERS), None
    if record.exc_info:
        lines = logging.Formatter().formatException(record.exc_info).split("\n")
        record.exc_text = "\n".join(map(visible, lines))  # which formatters take as it is
    return True


def _write(stream: TextIO, lines: Iterable[object]) -> None:
    text = "".join(f"{visible(line)}\n" for line in lines)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with _bars_removed(stream):
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _bars_removed(stream: TextIO) -> AbstractContextManager[Any]:
    """Remove progress bars from the screen during the block, and draw them below its lines."""
    module = sys.modules.get("tqdm")
    if module is None:  # not loaded as long as there is no bar
        return nullcontext()
    import multiprocessing  # which takes time that ``--help`` need not take

    # A forked process has no bars, and may have inherited their lock in a state that never ends.
    is_forked = multiprocessing.parent_process() is not None
    return nullcontext() if is_forked else module.tqdm.external_write_mode(file=stream)
