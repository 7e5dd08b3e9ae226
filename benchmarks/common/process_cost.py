"""Memory and time of a command, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

# In between, since the peak of a process begins with what its parent held when it was forked.
_MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


class Cost(NamedTuple):
    """What a command took.

    Attributes:
        code: its exit code, or minus the number of the signal that ended it.
        wall_seconds: from start to end.
        cpu_seconds: of user and system, with the processes that it started.
        peak_bytes: memory of the largest of its processes.
    """

    code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_measured(command: Sequence[str]) -> Cost:
    """Run a command to its end, without its standard output, and return what it took (POSIX)."""
    launched = subprocess.run([sys.executable, "-c", _MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True)
    code, wall_seconds, cpu_seconds, peak_kibibytes = json.loads(launched.stdout)
    return Cost(code, wall_seconds, cpu_seconds, peak_kibibytes * 1024)
