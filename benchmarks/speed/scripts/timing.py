"""Timing of a repeated piece of work inside one process; the scripts beside this file import it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def timed(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Return the median seconds, by the clock and of all processor cores, of ``work`` after one call that is not timed.

    Args:
        work: what is measured.
        repeats: number of timed calls.
    """
    work()
    clock, cores = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - started)
        cores.append(time.process_time() - used)
    return {"step_seconds": statistics.median(clock), "step_cpu_seconds": statistics.median(cores)}


def write_result(path: str, values: dict[str, Any]) -> None:
    """Write the result of a script."""
    Path(path).write_text(json.dumps(values), encoding="utf-8")
