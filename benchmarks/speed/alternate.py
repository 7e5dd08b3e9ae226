"""Runs of several sides one after the other in rounds, and ratios pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.speed.items import THIS
from benchmarks.speed.measured import MeasureError
from s3net_monai.utils.printing import print_note

Side = tuple[Callable[[], dict[str, Any]], int]  # what to run, and in how many rounds
_COMPARED = ("wall_seconds", "cpu_seconds", "peak_gb", "case_seconds", "step_seconds", "step_cpu_seconds")


def alternate(sides: Mapping[str, Side]) -> dict[str, Any]:
    """Run every side once a round, so that a change of the machine's speed meets all alike.

    A side that fails is left out from then on, and the others go on.

    Returns:
        "runs", a list for each side; "ratios" of the sides to this build, see ``ratios``; "failed", where a side did,
        with its message.
    """
    runs: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    for turn in range(max(rounds for _, rounds in sides.values())):
        for name, (run, rounds) in sides.items():
            if turn >= rounds or name in failed:
                continue
            try:
                runs.setdefault(name, []).append(run())
            except MeasureError as error:
                failed[name] = str(error)
                print_note(f"{name}: {error}")
    others = {name: ratios(runs[name], runs[THIS]) for name in runs if name != THIS and runs[name] and runs.get(THIS)}
    result = {"runs": {name: values for name, values in runs.items() if values}, "ratios": others}
    return {**result, "failed": failed} if failed else result


def ratios(other: list[dict[str, Any]], this: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return for each quantity that both have how many times that of this build the other's is, pair by pair.

    Returns:
        "median", "least" and "most" of the pairs, by quantity.
    """
    result = {}
    for quantity in _COMPARED:
        pairs = [pair for pair in zip(other, this, strict=False) if all(quantity in run for run in pair)]
        if pairs:
            values = [others[quantity] / own[quantity] for others, own in pairs]
            result[quantity] = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return result


def median_of(runs: Sequence[Mapping[str, Any]], quantity: str) -> float | None:
    """Return the median of a quantity over runs, None where they do not have it."""
    values = [run[quantity] for run in runs if quantity in run]
    return statistics.median(values) if values else None
