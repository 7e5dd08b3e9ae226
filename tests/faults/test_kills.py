"""Runs that are killed at random moments and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.faults.kills import KINDS, measure
from benchmarks.faults.results import differing, results

NUM_KILLS = 20


@pytest.mark.slow
def test_twenty_killed_runs_are_resumed_to_the_files_of_an_uninterrupted_one(tmp_path: Path) -> None:
    measured = measure(tmp_path, count=NUM_KILLS)
    assert measured["problems"] == []
    assert (measured["tried"], measured["wrong"]) == (NUM_KILLS, 0)
    assert measured["killed"] > NUM_KILLS // 2, "most runs had ended before their kill"
    assert set(measured["kinds"]) == set(KINDS)


def test_what_differs_is_found(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a_seg.png").write_bytes(b"mask")
        case = {"case_id": "a", "status": "ok", "reason": None, "seconds": {"total": 1.0}}
        if name == "second":
            case |= {"status": "complete", "reason": "complete from an earlier run", "seconds": {"total": 2.0}}
        (tmp_path / name / "report.json").write_text(json.dumps({"summary": {}, "cases": [case]}))
    first, second = tmp_path / "first", tmp_path / "second"
    assert differing(results(first), results(second)) == []
    (second / "a_seg.png").write_bytes(b"masc")
    (second / ".partial-x").mkdir()
    (second / "report.html").touch()
    assert differing(results(first), results(second)) == [".partial-x", "a_seg.png", "report.html"]
