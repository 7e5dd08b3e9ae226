"""How much the label-free consistency score tells about the true Dice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.common.statistics import FAILED, share_failed

REVIEWED = 0.1  # share of the cases, worst scored first, that a human would look at


def quality(consistency: Sequence[float], dice: Sequence[float]) -> dict[str, Any]:
    """Rank correlation of the score with the Dice, and what looking at the worst-scored cases would remove.

    Args:
        consistency: label-free score of every case, 0 to 1.
        dice: true Dice of the same cases.

    Returns:
        "count"; "spearman" and its "spearman_p" (None where a side is constant or there are fewer than three cases);
        "failures", cases with a Dice below 0.5; "failures_reviewed", those among the worst-scored tenth (rounded up);
        "failures_removed", the share of the two (None without failures); "share_failed" of all cases and
        "share_failed_after" of those that remain; "risk_coverage": for every number of kept cases, best scored first,
        "coverage", their share of all, and "risk", 1 - their mean Dice.
    """
    scores, truth = np.asarray(consistency, dtype=np.float64), np.asarray(dice, dtype=np.float64)
    worst_first = np.argsort(scores, kind="stable")
    reviewed = math.ceil(REVIEWED * scores.size)
    failed = truth < FAILED
    caught = int(failed[worst_first[:reviewed]].sum())
    remaining = truth[worst_first[reviewed:]]
    correlation = _spearman(scores, truth)
    kept = np.arange(1, scores.size + 1)
    return {
        "count": scores.size,
        "spearman": correlation[0],
        "spearman_p": correlation[1],
        "failures": int(failed.sum()),
        "failures_reviewed": caught,
        "failures_removed": caught / int(failed.sum()) if failed.any() else None,
        "share_failed": share_failed(truth.tolist()),
        "share_failed_after": share_failed(remaining.tolist()) if remaining.size else None,
        "risk_coverage": {
            "coverage": (kept / scores.size).tolist(),
            "risk": (1 - np.cumsum(truth[worst_first[::-1]]) / kept).tolist(),
        },
    }


def _spearman(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None]:
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None, None
    found = stats.spearmanr(first, second)
    return float(found.statistic), float(found.pvalue)
