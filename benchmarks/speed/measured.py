"""Commands of one build or environment, measured with all processes that they start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3net_monai.file_formats import REPORT_NAME

SCRIPTS = Path(__file__).with_name("scripts")
_SAMPLER = Path(__file__).with_name("sampler.py")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # measured is what a user without them gets
_GB = 1024**3


@dataclass(frozen=True)
class Build:
    """An environment and the checkout that it runs.

    Attributes:
        python: its interpreter.
        folder: the checkout; imports find it first.
    """

    python: Path
    folder: Path


class MeasureError(Exception):
    """A measured command failed; the message is one line."""


def run_script(build: Build, script: str, *arguments: object) -> dict[str, Any]:
    """Run a script of ``scripts/`` and return its cost with what it wrote to its first argument, a JSON file."""
    with tempfile.TemporaryDirectory(prefix="s3net-speed-") as folder:
        result = Path(folder) / "result.json"
        cost = _cost(build, [str(SCRIPTS / script), str(result), *map(str, arguments)])
        return {**cost, **json.loads(result.read_text(encoding="utf-8"))}


def run_segment(build: Build, images: Sequence[Path], *, task: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """Run ``s3net segment`` and return its cost, with the seconds of each phase summed over the cases.

    "start" is what the process takes beside its cases: imports, weights, search for cases and the end.
    """
    with tempfile.TemporaryDirectory(prefix="s3net-speed-") as folder:
        command = ["-m", "s3net_monai", "segment", *map(str, images), "--task", task, "--output", folder, *options]
        cost = _cost(build, command)
        report = json.loads((Path(folder) / REPORT_NAME).read_text(encoding="utf-8"))
    return {**cost, **case_costs(report, cost["wall_seconds"])}


def case_costs(report: Mapping[str, Any], wall_seconds: float) -> dict[str, Any]:
    """Return the number of cases of a report, the seconds of each of its phases and those of one case.

    Raises:
        MeasureError: for a case that failed, which would have been quick.
    """
    cases = report["cases"]
    failed = [case for case in cases if case["status"] != "ok"]
    if failed or not cases:
        raise MeasureError(f"{len(failed)} of {len(cases)} cases failed; run s3net segment on them")
    names = dict.fromkeys(name for case in cases for name in case["seconds"] if name != "total")
    phases = {name: sum(case["seconds"].get(name, 0.0) for case in cases) for name in names}
    batch = report["summary"]["seconds"]
    return {
        "cases": len(cases),
        "case_seconds": batch / len(cases),
        "phases": {"start": max(0.0, wall_seconds - batch), **phases},
    }


def _cost(build: Build, arguments: Sequence[str]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name not in _THREADS}
    environment["PYTHONPATH"] = str(build.folder)
    with tempfile.TemporaryDirectory(prefix="s3net-speed-") as folder:
        result, log = Path(folder) / "cost.json", Path(folder) / "log"
        command = [sys.executable, str(_SAMPLER), str(result), str(log), str(build.python), *arguments]
        with subprocess.Popen(command, cwd=build.folder, env=environment) as sampler:
            try:
                sampler.wait()
            except BaseException:
                sampler.terminate()  # not killed: it ends what it started
                raise
        if sampler.returncode:
            raise MeasureError(f"{Path(arguments[0]).name}: its measurement was ended")
        cost: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        if cost.pop("code"):
            last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"])[-1]
            raise MeasureError(f"{Path(arguments[0]).name} {' '.join(arguments[1:3])} failed: {last[:300]}")
    peak = cost.pop("peak_bytes")
    return {**cost, "peak_gb": peak / _GB}
