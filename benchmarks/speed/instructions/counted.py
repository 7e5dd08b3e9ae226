"""Count the instructions of one call alone: the scripts beside this file run under callgrind and import it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any


def counted(work: Callable[[], Any]) -> None:
    """Call ``work`` twice, the second time with callgrind's instrumentation on.

    The first call fills caches and imports what is imported late.
    """
    work()
    _switch("on")
    work()
    _switch("off")


def _switch(state: str) -> None:
    command = ["callgrind_control", f"--instr={state}", str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
