"""How well the label-free consistency score predicts the true Dice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.common.statistics import MIN_DICE, fraction_failed

REVIEWED_FRACTION = 0.1  # of the cases, worst scored first, that a person would review


def quality(consistency: Sequence[float], dice: Sequence[float]) -> dict[str, Any]:
    """Return the rank correlation of score and Dice, and the effect of a review.

    The worst-scored cases are reviewed.

    Args:
        consistency: label-free score of every case, 0 to 1.
        dice: true Dice of the same cases.

    Returns:
        "count"; "spearman" and its "spearman_p" (None for constant values or fewer than three cases);
        "failures", cases with a Dice below 0.5; "failures_reviewed", those among the worst-scored tenth (rounded up);
        "failures_removed", the ratio of the two (None without failures); "share_failed", the fraction of failures among
        all cases, and "share_failed_after" among the cases that remain; "risk_coverage": for every number of retained
        cases, best scored first, "coverage", the fraction they make up, and "risk", 1 - their mean Dice.
    """
    scores, truth = np.asarray(consistency, dtype=np.float64), np.asarray(dice, dtype=np.float64)
    worst_first = np.argsort(scores, kind="stable")
    reviewed = math.ceil(REVIEWED_FRACTION * scores.size)
    failed = truth < MIN_DICE
    reviewed_failures = int(failed[worst_first[:reviewed]].sum())
    remaining = truth[worst_first[reviewed:]]
    spearman, spearman_p = _spearman(scores, truth)
    retained = np.arange(1, scores.size + 1)
    return {
        "count": scores.size,
        "spearman": spearman,
        "spearman_p": spearman_p,
        "failures": int(failed.sum()),
        "failures_reviewed": reviewed_failures,
        "failures_removed": reviewed_failures / int(failed.sum()) if failed.any() else None,
        "share_failed": fraction_failed(truth.tolist()),
        "share_failed_after": fraction_failed(remaining.tolist()) if remaining.size else None,
        "risk_coverage": {
            "coverage": (retained / scores.size).tolist(),
            "risk": (1 - np.cumsum(truth[worst_first[::-1]]) / retained).tolist(),
        },
    }


def _spearman(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None]:
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None, None
    correlation = stats.spearmanr(first, second)
    return float(correlation.statistic), float(correlation.pvalue)
