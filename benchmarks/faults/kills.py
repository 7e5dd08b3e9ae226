"""Runs that are killed at random moments and resumed: every file must be that of an uninterrupted run."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.forked_run import Run, start_run
from benchmarks.faults.results import differing, results
from benchmarks.faults.run_inputs import segment_words

SEED = 22
KINDS = ("pictures", "volumes", "archives", "shards")


def measure(folder: Path, count: int = 100) -> dict[str, Any]:
    """Kill and resume runs over pictures, volumes, archives and two shards at once.

    Half of the kills come before a change to files that is drawn from all changes of a run, half after a fraction of
    its time. A shard is killed while the other one goes on.

    Args:
        folder: an empty folder.
        count: number of kills.

    Returns:
        "tried" and "wrong" (resumed runs with a file that differs, that is missing or left over, or with another exit
        code), by kind as well, how many runs had ended before their kill, and the first differences.
    """
    generator = random.Random(SEED)
    kinds = {kind: _Kind(kind, folder / kind) for kind in KINDS}
    counts = {kind: {"tried": 0, "killed": 0, "wrong": 0} for kind in KINDS}
    problems: list[str] = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        was_killed, found = kinds[kind].kill_and_resume(generator, by_change=number // len(KINDS) % 2 == 0)
        counts[kind]["tried"] += 1
        counts[kind]["killed"] += was_killed
        counts[kind]["wrong"] += bool(found)
        problems += [f"{kind} {number}: {problem}" for problem in found]
    totals = {name: sum(row[name] for row in counts.values()) for name in ("tried", "killed", "wrong")}
    return {**totals, "kinds": counts, "problems": problems[:20], "seed": SEED}


class _Kind:
    """One kind of run, with the results, the time and the number of changes of an uninterrupted one."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        words = segment_words("volumes" if kind == "shards" else kind, folder)
        self.shards = [[*words, "--shard", f"{number}/2"] for number in (1, 2)] if kind == "shards" else [words]
        started = time.perf_counter()
        ended = [run.end() for run in self._start("whole")]
        self.seconds = time.perf_counter() - started
        if any(end.code for end in ended):
            raise RuntimeError(f"{kind}: a run that nobody disturbed failed: {ended}")
        self.changes = min(end.changes for end in ended)
        self.expected = results(folder / "whole" / "out")

    def kill_and_resume(self, generator: random.Random, *, by_change: bool) -> tuple[bool, list[str]]:
        """Kill a run, resume it, and return whether it was killed before its end, and what is wrong afterwards."""
        victim, moment = generator.randrange(len(self.shards)), generator.random()
        running = self._start("killed", victim, 1 + int(moment * self.changes) if by_change else 0)
        if not by_change:
            time.sleep(moment * self.seconds)
            running[victim].process.kill()
        killed = running[victim].end()
        resumed = start_run([*self._words("killed", victim), "--resume"], self.folder / "killed" / "resumed.log").end()
        others = [run.end() for index, run in enumerate(running) if index != victim]
        found = [f"exit code {end.code}: {end.text[-400:]}" for end in (resumed, *others) if end.code]
        found += differing(self.expected, results(self.folder / "killed" / "out"))
        shutil.rmtree(self.folder / "killed")
        return killed.code == -signal.SIGKILL, found

    def _start(self, name: str, victim: int = 0, kill_at: int = 0) -> list[Run]:
        (self.folder / name).mkdir()
        return [
            start_run(
                self._words(name, index),
                self.folder / name / f"{index}.log",
                kill_at=kill_at if index == victim else 0,
            )
            for index in range(len(self.shards))
        ]

    def _words(self, name: str, index: int) -> list[str]:
        return [*self.shards[index], "--output", str(self.folder / name / "out")]
