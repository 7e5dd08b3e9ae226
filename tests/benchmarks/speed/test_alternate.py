"""Rounds of runs, and ratios pair by pair."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.alternate import alternate, median_of, ratios
from benchmarks.speed.items import BEFORE, FLOOR, THIS
from benchmarks.speed.measured import MeasureError


def test_sides_run_in_rounds_and_are_compared_pair_by_pair() -> None:
    order: list[str] = []
    seconds = {THIS: iter([1.0, 2.0, 4.0]), BEFORE: iter([3.0, 10.0, 16.0]), FLOOR: iter([0.5])}

    def side(name: str) -> Any:
        def run() -> dict[str, Any]:
            order.append(name)
            return {"wall_seconds": next(seconds[name])}

        return run

    result = alternate({THIS: (side(THIS), 3), BEFORE: (side(BEFORE), 3), FLOOR: (side(FLOOR), 1)})
    assert order == [THIS, BEFORE, FLOOR, THIS, BEFORE, THIS, BEFORE]
    assert result["ratios"] == {
        BEFORE: {"wall_seconds": {"median": 4.0, "least": 3.0, "most": 5.0}},
        FLOOR: {"wall_seconds": {"median": 0.5, "least": 0.5, "most": 0.5}},
    }
    assert "failed" not in result


def test_a_side_that_fails_is_left_out_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    tried = []

    def fail() -> dict[str, Any]:
        tried.append(1)
        raise MeasureError("no network")

    result = alternate({THIS: (lambda: {"wall_seconds": 1.0}, 2), BEFORE: (fail, 2)})
    assert tried == [1]
    assert result == {"runs": {THIS: [{"wall_seconds": 1.0}] * 2}, "ratios": {}, "failed": {BEFORE: "no network"}}
    assert capsys.readouterr().err == "before: no network\n"


def test_quantities_that_one_side_lacks_have_no_ratio() -> None:
    assert ratios([{"wall_seconds": 1.0, "phases": {}}], [{"step_seconds": 2.0, "phases": {}}]) == {}
    assert median_of([{"a": 1.0}, {"a": 5.0}, {"b": 9.0}], "a") == 3.0
    assert median_of([], "a") is None
