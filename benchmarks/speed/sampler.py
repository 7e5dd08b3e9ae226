"""Run a command as a session of its own and record time and peak memory of all its processes (Linux).

``python sampler.py RESULT.json LOG COMMAND...`` stands in between, as in ``common/process_cost.py``: the peak of a
process begins with what its parent held when it was forked. It imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

INTERVAL = 0.05  # seconds between two looks at the memory
SHARE = 0.02  # of the time, for what is costly
PAGE = os.sysconf("SC_PAGE_SIZE")


def main(arguments: Sequence[str]) -> None:
    """Run the command; its standard error goes to the log, its standard output nowhere."""
    result, log, *command = arguments
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the command, too
    with Path(log).open("wb") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        watcher = Watcher(process.pid)
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            end_session(process.pid)
        seconds = time.perf_counter() - start
        watcher.end()
    cost = {
        "code": os.waitstatus_to_exitcode(status),
        "wall_seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        # No sample is missed of the largest process, whose peak the kernel keeps.
        "peak_bytes": max(watcher.memory.peak, usage.ru_maxrss * 1024),
    }
    Path(result).write_text(json.dumps(cost), encoding="utf-8")


class SessionMemory:
    """Memory of all processes of a session.

    Attributes:
        peak: largest sum so far of their proportional set sizes (PSS), in bytes.
    """

    def __init__(self, session: int) -> None:
        self.session, self.peak = session, 0
        self._others: set[str] = set()  # processes of other sessions, which are looked at once
        self._resident, self._next = 0, 0.0

    def look(self) -> None:
        """Update the peak.

        For the PSS the kernel walks over all pages of a process. It is left out while the sum of the resident sets,
        which no PSS exceeds, is below the peak, and takes a ``SHARE`` of the time while that sum hardly grows.
        """
        processes = [name for name in os.listdir("/proc") if name.isdigit() and name not in self._others]
        own = [name for name in processes if _session_of(name) == self.session]
        self._others.update(set(processes) - set(own))
        resident, now = sum(map(_resident, own)), time.monotonic()
        is_due = now >= self._next or resident > self._resident * (1 + SHARE)
        if resident > self.peak and is_due:
            self.peak = max(self.peak, sum(map(_pss, own)))
            ended = time.monotonic()
            self._resident, self._next = resident, ended + (ended - now) / SHARE


class Watcher(threading.Thread):
    """Look at the memory of a session every ``INTERVAL``, until the end."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.memory, self._ended = SessionMemory(session), threading.Event()

    def run(self) -> None:
        """Look until the end."""
        while not self._ended.wait(INTERVAL):
            self.memory.look()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()


def end_session(session: int) -> None:
    """Kill what the command left running."""
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return


def _session_of(process: str) -> int:
    # The name of the program, in parentheses, may hold anything; state, parent, group and session follow it.
    fields = _text(process, "stat").rpartition(")")[2].split()
    return int(fields[3]) if fields else 0


def _resident(process: str) -> int:
    fields = _text(process, "statm").split()
    return int(fields[1]) * PAGE if fields else 0


def _pss(process: str) -> int:
    lines = _text(process, "smaps_rollup").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _text(process: str, name: str) -> str:
    """Return a file of /proc, nothing where the process has ended or belongs to another user."""
    try:
        with open(f"/proc/{process}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
