"""``s3net`` in a process that was forked from this one, so that a run of a few small cases takes no seconds of imports.

The process is killed after a time, or before one of its changes to files: whatever the moment is, no handler of Python
runs.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from s3net_monai.cli import main

for _module in ("s3net_monai.inference", "jinja2", "SimpleITK"):  # which the commands import when they need them
    importlib.import_module(_module)

FORK = multiprocessing.get_context("fork")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")  # audit events of Python
TIMEOUT = 300.0  # seconds until a run counts as one that hangs


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        code: its exit code, or minus the number of the signal that ended it.
        text: what it wrote to standard output and error.
        changes: how often it was about to change files.
    """

    code: int
    text: str
    changes: int


@dataclass(frozen=True)
class Run:
    """A run in a process of its own.

    Attributes:
        process: its process.
        log: file for what it prints.
    """

    process: BaseProcess
    log: Path

    def end(self) -> Ended:
        """Wait for its end.

        Raises:
            TimeoutError: when it does not end.
        """
        self.process.join(TIMEOUT)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"the run did not end within {TIMEOUT:.0f} s: {self.log.read_text(encoding='utf-8')}")
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        changes = _changes(self.log).read_text() if _changes(self.log).exists() else ""
        return Ended(self.process.exitcode, text, int(changes or 0))


def start_run(
    words: Sequence[str],
    log: Path,
    *,
    scratch: Path | None = None,
    kill_at: int = 0,
    before: Callable[[], None] | None = None,
) -> Run:
    """Start ``s3net`` with the words of a command line.

    Args:
        words: of the command line.
        log: file for what it prints.
        scratch: its temporary folder; None for the folder of ``log``.
        kill_at: the process ends itself by SIGKILL before this change to files, counted from 1; 0 for never.
        before: called in the process, for example to set limits.
    """
    process = FORK.Process(target=_run, args=(list(words), log, scratch or log.parent, kill_at, before))
    process.start()
    return Run(process, log)


def _changes(log: Path) -> Path:
    return log.with_suffix(".changes")


def _run(words: list[str], log: Path, scratch: Path, kill_at: int, before: Callable[[], None] | None) -> None:
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _changes(log).unlink(missing_ok=True)
    with log.open("w", encoding="utf-8", buffering=1) as stream, redirect_stdout(stream), redirect_stderr(stream):
        count = _ChangeCounter(kill_at)
        sys.addaudithook(count)
        if before is not None:
            before()
        try:
            code = main(words)
        except SystemExit as error:
            code = int(error.code or 0)
        _changes(log).write_text(str(count.changes))
    os._exit(code)  # without what the parent has registered for its own end


class _ChangeCounter:
    """An audit hook that counts changes to files in the process that installed it, and ends it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.process = os.getpid()
        self.changes = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if (is_write or event in CHANGES) and os.getpid() == self.process:
            self.changes += 1
            if self.changes == self.kill_at:
                os.kill(self.process, signal.SIGKILL)
