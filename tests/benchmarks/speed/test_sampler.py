"""The memory and the end of a command with all its processes; no time is asserted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.speed import sampler
from benchmarks.speed.sampler import SessionMemory

_MEGABYTES = 150
# Two children hold memory of their own at the same time, and end when their input does.
_TWO_CHILDREN = f"""
import subprocess, sys
child = "data = bytearray({_MEGABYTES} << 20); data[::4096] = b'1' * len(data[::4096]); print(flush=True); input()"
children = [
    subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
]
for process in children:
    process.stdout.readline()
print(flush=True)
input()
for process in children:
    process.communicate(b"\\n")
"""


def run(folder: Path, *command: str) -> dict[str, float]:
    sampler_command = [sys.executable, sampler.__file__, str(folder / "cost.json"), str(folder / "log"), *command]
    subprocess.run(sampler_command, check=True)
    cost: dict[str, float] = json.loads((folder / "cost.json").read_text())
    return cost


def test_memory_is_that_of_all_processes_of_the_session() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _TWO_CHILDREN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    memory = SessionMemory(process.pid)
    memory.look()
    assert 2 * _MEGABYTES < memory.peak / 2**20 < 2 * _MEGABYTES + 100
    process.communicate(b"\n")
    peak = memory.peak
    memory.look()
    assert memory.peak == peak  # that of a session that has ended remains


def test_a_resident_set_below_the_peak_is_not_looked_into() -> None:
    memory = SessionMemory(os.getsid(0))
    memory.peak = 1 << 50
    memory.look()
    assert memory.peak == 1 << 50


def test_the_costly_look_is_rare_while_the_memory_hardly_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    clock, resident = [0.0], [1000]

    def slow_look(process: str) -> int:
        looks.append(clock[0])
        clock[0] += 1.0
        return 100

    monkeypatch.setattr(sampler.os, "listdir", lambda folder: ["7", "self"])
    monkeypatch.setattr(sampler.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sampler, "_session_of", lambda process: 7)
    monkeypatch.setattr(sampler, "_resident", lambda process: resident[0])
    monkeypatch.setattr(sampler, "_pss", slow_look)
    memory = SessionMemory(7)
    # A look of one second, at 0; then not until 1 + 50 seconds, or a larger resident set.
    for now, size in [(0, 1000), (50, 1019), (51, 1000), (60, 1021), (61, 90)]:
        clock[0], resident[0] = float(now), size
        memory.look()
    assert looks == [0, 51, 60]


def test_cost_has_the_exit_code_and_the_memory_of_the_largest_process(tmp_path: Path) -> None:
    cost = run(tmp_path, sys.executable, "-c", f"data = b'1' * ({_MEGABYTES} << 20); raise SystemExit('no luck')")
    assert cost["code"] == 1
    assert cost["peak_bytes"] > _MEGABYTES << 20
    assert cost["cpu_seconds"] > 0
    assert (tmp_path / "log").read_text().strip() == "no luck"


def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, file=sys.stderr)"
    run(tmp_path, sys.executable, "-c", code)
    assert ends(int((tmp_path / "log").read_text()))


def test_a_terminated_sampler_ends_its_command(tmp_path: Path) -> None:
    code = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(600)"
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, sampler.__file__, str(tmp_path / "cost.json"), str(log), sys.executable, "-c", code]
    )
    while not (log.is_file() and log.read_text().endswith("\n")):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert ends(int(log.read_text()))


def ends(process: int) -> bool:
    """Return whether a killed process is gone: the signal is sent before it has acted."""
    latest = time.monotonic() + 60
    while alive(process) and time.monotonic() < latest:
        time.sleep(0.01)
    return not alive(process)


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
