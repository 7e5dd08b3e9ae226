"""Review reasons: which cases of a run a person should review first, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOW_CONSISTENCY = 0.8  # a rule of thumb, fitted to no data set: views that overlap less than this do not agree
LOWEST_FRACTION = 0.1  # of a run: its lowest scores belong to most of its bad masks
MIN_SCORED_CASES = 10  # a run with fewer scored cases has no lowest tenth


def consistency_cut(cases: Sequence[Mapping[str, Any]]) -> float:
    """Return the score below which a case is in the lowest tenth of this run; 0 for fewer than ten scores.

    Args:
        cases: entries of ``report.json``. Those without a score do not count.
    """
    scores = sorted(case["consistency"] for case in cases if case.get("consistency") is not None)
    return float(scores[int(len(scores) * LOWEST_FRACTION)]) if len(scores) >= MIN_SCORED_CASES else 0.0


def review_reasons(case: Mapping[str, Any], cut: float) -> list[str]:
    """Return why a case needs review, in a few words each; an empty list if it does not.

    A case needs review when it failed or was not finished, its mask is empty, it has warnings, its consistency is
    below 0.8, or its consistency is in the lowest tenth of the run.

    Args:
        case: an entry of ``report.json``.
        cut: ``consistency_cut`` of its run.
    """
    if case["status"] == "failed":
        return ["failed"]
    if case["status"] == "skipped" and not case.get("outputs"):
        return ["not finished"]
    reasons = []
    if _is_empty(case.get("measures") or {}):
        reasons.append("empty mask")
    if case.get("warnings"):
        reasons.append("warning" if len(case["warnings"]) == 1 else "warnings")
    consistency = case.get("consistency")
    if consistency is not None and consistency < LOW_CONSISTENCY:
        reasons.append("low consistency")
    elif consistency is not None and consistency < cut:
        reasons.append("in the lowest tenth")
    return reasons


def _is_empty(measures: Mapping[str, Any]) -> bool:
    size = measures.get("volume_ml", measures.get("area_px"))
    values = list(size.values()) if isinstance(size, dict) else [size]
    return all(value == 0 for value in values)
