"""Costs of measured commands from their reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import measured
from benchmarks.speed.measured import Build, MeasureError, case_costs, run_script


def case(read: float, infer: float, **more: float) -> dict[str, Any]:
    seconds = {"read": read, "infer": infer, **more}
    return {"status": "ok", "seconds": {**seconds, "total": sum(seconds.values())}}


def test_phases_are_summed_over_the_cases_and_start_is_the_rest() -> None:
    report = {"cases": [case(1.0, 2.0), case(0.5, 3.0, write=0.25)], "summary": {"seconds": 6.0}}
    assert case_costs(report, wall_seconds=8.5) == {
        "cases": 2,
        "case_seconds": 3.0,
        "phases": {"start": 2.5, "read": 1.5, "infer": 5.0, "write": 0.25},
    }


@pytest.mark.parametrize("cases", [[], [case(1.0, 1.0), {"status": "failed", "seconds": {}}]])
def test_a_run_without_masks_is_no_measurement(cases: list[dict[str, Any]]) -> None:
    with pytest.raises(MeasureError, match=f"of {len(cases)} cases failed"):
        case_costs({"cases": cases, "summary": {"seconds": 1.0}}, wall_seconds=2.0)


def test_a_script_runs_with_the_modules_of_its_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_the_build.py").write_text("NUMBER = 5\n")
    script = "import json, os, sys, of_the_build\nthreads = os.environ.get('OMP_NUM_THREADS')\n"
    script += "json.dump({'number': of_the_build.NUMBER, 'threads': threads}, open(sys.argv[1], 'w'))\n"
    (tmp_path / "script.py").write_text(script)
    monkeypatch.setattr(measured, "SCRIPTS", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    values = run_script(Build(Path(sys.executable), tmp_path), "script.py")
    assert (values["number"], values["threads"]) == (5, None)
    assert 0 < values["peak_gb"] < 1
    assert set(values) == {"number", "threads", "wall_seconds", "cpu_seconds", "peak_gb"}


def test_a_failed_command_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "script.py").write_text("print('noise', file=__import__('sys').stderr)\nraise SystemExit('no luck')\n")
    monkeypatch.setattr(measured, "SCRIPTS", tmp_path)
    with pytest.raises(MeasureError, match=r"script.py .* failed: no luck"):
        run_script(Build(Path(sys.executable), tmp_path), "script.py")


def test_a_measurement_that_is_ended_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sampler.py").write_text("raise SystemExit(1)\n")
    monkeypatch.setattr(measured, "_SAMPLER", tmp_path / "sampler.py")
    with pytest.raises(MeasureError, match=r"^script.py: its measurement was ended$"):
        run_script(Build(Path(sys.executable), tmp_path), "script.py")
