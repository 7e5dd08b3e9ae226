"""A run in its own process, ended by real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.small_runs import write_uniform_volume

pytestmark = pytest.mark.slow

NUM_CASES = 8


@pytest.fixture
def slow_bundle(lung_bundle: Path) -> Path:
    """The toy bundle, with one second per case."""
    path = lung_bundle / "configs" / "inference.json"
    config = json.loads(path.read_text())
    config["imports"].append("$import time")
    pause = {"_target_": "Lambdad", "keys": "pred", "func": "$lambda pred: (time.sleep(1), pred)[1]"}
    config["postprocessing"]["transforms"].insert(1, pause)
    path.write_text(json.dumps(config))
    return lung_bundle


@pytest.fixture
def command(slow_bundle: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "in").mkdir()
    for index in range(NUM_CASES):
        write_uniform_volume(tmp_path / "in" / f"{index}.nii.gz", -900 + index)
    last = tmp_path / "in" / f"{NUM_CASES - 1}.nii.gz"
    with zipfile.ZipFile(tmp_path / "in" / "last.zip", "w") as archive:
        archive.write(last, last.name)
    last.unlink()
    (tmp_path / "scratch").mkdir()
    arguments = ["--task", "lung", "--bundle", str(slow_bundle), "--output", str(tmp_path / "out"), "--resume"]
    return [sys.executable, "-m", "s3net_monai", "segment", str(tmp_path / "in"), *arguments]


@pytest.fixture
def running(command: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The run, once its report lists a finished case."""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=environment,
        preexec_fn=restore_signals,
    )
    deadline = time.monotonic() + 120
    while not any(case["status"] == "ok" for case in report(tmp_path).get("cases", [])):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "no case was finished"
        time.sleep(0.05)
    yield process
    process.kill()


def restore_signals() -> None:
    """Undo the ignored signals that a process inherits, since the tests may run in the background of a shell."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def report(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "out" / "report.json"
    return json.loads(path.read_text()) if path.exists() else {}


def check_resumed(command: list[str], tmp_path: Path, complete: set[str]) -> None:
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    cases = report(tmp_path)["cases"]
    assert {case["case_id"] for case in cases if case["status"] == "complete"} >= complete
    assert {case["case_id"] for case in cases} == {str(index) for index in range(NUM_CASES)}
    for index in range(NUM_CASES):
        mask = nib.load(tmp_path / "out" / f"{index}_seg.nii.gz")
        assert int(np.asarray(mask.dataobj).sum()) == 27  # whole and readable


def finished(tmp_path: Path) -> set[str]:
    return {case["case_id"] for case in report(tmp_path)["cases"] if case["status"] in ("ok", "complete")}


@pytest.mark.parametrize(
    ("send", "signal_number"),
    [
        pytest.param(os.killpg, signal.SIGINT, id="ctrl-c"),  # a terminal sends it to the workers as well
        pytest.param(os.killpg, signal.SIGTERM, id="scheduler"),
        pytest.param(os.kill, signal.SIGHUP, id="closed-terminal"),
    ],
)
def test_an_interrupted_run_leaves_a_valid_report_and_resumes(
    running: subprocess.Popen[bytes],
    command: list[str],
    tmp_path: Path,
    send: Callable[[int, int], None],
    signal_number: signal.Signals,
) -> None:
    assert list((tmp_path / "scratch").glob("s3net-*/*/*"))  # the unpacked archive
    send(running.pid, signal_number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert b"Traceback" not in errors, errors.decode()
    assert list((tmp_path / "scratch").iterdir()) == []
    stored = report(tmp_path)
    assert stored["interrupted"] is True
    assert len(stored["cases"]) == NUM_CASES
    skipped = [case for case in stored["cases"] if case["status"] == "skipped"]
    assert skipped
    assert all("interrupted" in case["reason"] for case in skipped)
    assert (tmp_path / "out" / "report.html").is_file()
    check_resumed(command, tmp_path, {case["case_id"] for case in stored["cases"] if case["status"] == "ok"})


def test_a_killed_run_leaves_no_process_and_resumes(
    running: subprocess.Popen[bytes], command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.kill()
    running.communicate(timeout=60)
    complete = finished(tmp_path)
    deadline = time.monotonic() + 60
    while _members(running.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _members(running.pid) == []
    assert list((tmp_path / "scratch").glob("s3net-*/*/*"))  # the unpacked archive
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    check_resumed(command, tmp_path, complete)
    assert list((tmp_path / "scratch").iterdir()) == []


def _members(session: int) -> list[int]:
    """Return the processes of a session that are not zombies."""
    members = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.parent.name))
    return members
