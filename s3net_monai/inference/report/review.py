"""Which cases of a run a person should look at first: the one rule for report, page and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOW_CONSISTENCY = 0.8  # a rule of thumb, fitted to no data set: views that share less than this do not agree
LOWEST_SHARE = 0.1  # of a run, whose lowest scores hold most of its bad masks
MIN_SCORED_CASES = 10  # scored cases without which a run has no lowest tenth


def consistency_cut(cases: Sequence[Mapping[str, Any]]) -> float:
    """Below it a case of this run is among the lowest tenth of the scores; 0 for fewer than ten scores.

    Args:
        cases: of ``report.json``. Those without a score do not count.
    """
    scores = sorted(case["consistency"] for case in cases if case.get("consistency") is not None)
    return float(scores[int(len(scores) * LOWEST_SHARE)]) if len(scores) >= MIN_SCORED_CASES else 0.0


def review_reasons(case: Mapping[str, Any], cut: float) -> list[str]:
    """Why a person should look at this case, in a few words each; an empty list where nothing says so.

    A case needs a look when it failed or was not finished, its mask is empty, it carries warnings, its consistency is
    below 0.8, or its consistency is among the lowest tenth of the run.

    Args:
        case: of ``report.json``.
        cut: ``consistency_cut`` of its run.
    """
    if case["status"] == "failed":
        return ["failed"]
    if case["status"] == "skipped" and not case.get("outputs"):
        return ["not finished"]
    found = []
    if _is_empty(case.get("measures") or {}):
        found.append("empty mask")
    if case.get("warnings"):
        found.append("warning" if len(case["warnings"]) == 1 else "warnings")
    consistency = case.get("consistency")
    if consistency is not None and consistency < LOW_CONSISTENCY:
        found.append("low consistency")
    elif consistency is not None and consistency < cut:
        found.append("among the lowest tenth")
    return found


def _is_empty(measures: Mapping[str, Any]) -> bool:
    size = measures.get("volume_ml", measures.get("area_px"))
    values = list(size.values()) if isinstance(size, dict) else [size]
    return all(value == 0 for value in values)
