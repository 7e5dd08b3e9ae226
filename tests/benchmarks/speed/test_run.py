"""The command: items that fail, that are kept, and the files that are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import run
from benchmarks.speed.items import BEFORE, THIS
from benchmarks.speed.measure import Plan
from benchmarks.speed.measured import MeasureError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: Plan) -> dict[str, Any]:
        raise MeasureError("out of disk")

    def picture(plan: Plan) -> dict[str, Any]:
        runs = {THIS: [{"wall_seconds": 2.0, "cpu_seconds": 3.0, "peak_gb": 0.25}]}
        return {"runs": {**runs, BEFORE: runs[THIS]}, "ratios": {}}

    monkeypatch.setattr(run, "MEASURES", {"picture": picture, "jpeg": broken})
    monkeypatch.setattr(run, "_compile_all", lambda plan: None)


def test_an_item_that_fails_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    page = run.run_speed(output, Plan(work=tmp_path), names=["jpeg", "picture"])
    rows = json.loads(output.read_text())["rows"]
    assert list(rows) == ["picture", "jpeg"]
    assert rows["jpeg"]["failed"] == {"jpeg": "out of disk"}
    assert page == tmp_path / "speed.md"
    assert "- jpeg, jpeg: out of disk" in page.read_text()
    assert "| one picture of 256 x 256 | this build | 1 | 2.00 s | 3.00 s | - | 0.25 GB |" in page.read_text()


def test_items_of_an_earlier_run_stay(tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    run.run_speed(output, Plan(work=tmp_path), names=["picture"])
    run.run_speed(output, Plan(work=tmp_path), names=["jpeg"])
    assert list(json.loads(output.read_text())["rows"]) == ["picture", "jpeg"]


def test_the_page_of_the_committed_numbers_stands_among_the_guides() -> None:
    assert run.page_path(run.COMMITTED) == run.ROOT / "docs" / "performance.md"
