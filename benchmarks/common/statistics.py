"""From the scores of cases to the figures of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FAILED = 0.5  # a Dice below this counts as a failure
MIN_CASES_FOR_INTERVAL = 5  # cases; a bootstrap of fewer repeats their few values
MIN_PAIRS_FOR_TEST = 6  # pairs; of fewer the Wilcoxon test cannot reach p < 0.05
_RESAMPLES = 9999

Numbers = NDArray[np.float64]
Entry = Mapping[str, Any]


def mean_over_seeds(by_seed: Sequence[Sequence[Entry]]) -> list[dict[str, Any]]:
    """One entry a case, every number the mean over the seeds that have it, None where none has.

    Args:
        by_seed: for every seed the entries of the same cases in the same order, values numbers, None, text or dicts.
    """
    return [_mean_entry(entries) for entries in zip(*by_seed, strict=True)]


def _mean_entry(entries: Sequence[Entry]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, first in entries[0].items():
        values = [entry[key] for entry in entries]
        if isinstance(first, dict):
            result[key] = _mean_entry(values)
        elif isinstance(first, str):
            result[key] = first
        else:
            known = [value for value in values if value is not None]
            result[key] = float(np.mean(known)) if known else None
    return result


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """ "count" of known values, their "mean", "median" and "ci95" of the mean, None where that cannot be told."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    return {
        "count": known.size,
        "mean": float(known.mean()) if known.size else None,
        "median": float(np.median(known)) if known.size else None,
        "ci95": interval(known),
    }


def interval(values: Numbers) -> list[float] | None:
    """95 % confidence interval of the mean by the percentile bootstrap over cases; None below MIN_CASES_FOR_INTERVAL."""
    if values.size < MIN_CASES_FOR_INTERVAL:
        return None
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, method="percentile", rng=np.random.default_rng(0), batch=1000
    )
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def share_failed(dice: Sequence[float]) -> float:
    """Share of the cases whose Dice is below `FAILED`."""
    return float(np.mean(np.asarray(dice) < FAILED))


def compare(dice: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, Any]:
    """Difference from a reference method on the cases that both have, by a paired two-sided Wilcoxon test.

    Args:
        dice, reference: Dice by case.

    Returns:
        "count" of pairs, mean "difference" (positive: better than the reference) and "p", None below MIN_PAIRS_FOR_TEST.
    """
    pairs = np.array([(dice[case], reference[case]) for case in dice if case in reference], dtype=np.float64)
    difference = pairs[:, 0] - pairs[:, 1] if pairs.size else np.zeros(0)
    p = None
    if difference.size >= MIN_PAIRS_FOR_TEST:
        p = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
    return {"count": difference.size, "difference": float(difference.mean()) if difference.size else None, "p": p}
