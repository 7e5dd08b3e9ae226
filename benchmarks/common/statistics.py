"""Statistics of the tables over the scores of cases: means, intervals and paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

MIN_DICE = 0.5  # a lower Dice counts as a failure
MIN_CASES_FOR_INTERVAL = 5  # cases; a bootstrap of fewer only repeats their few values
MIN_PAIRS_FOR_TEST = 6  # pairs; with fewer the Wilcoxon test cannot reach p < 0.05
_RESAMPLES = 9999

Numbers = NDArray[np.float64]
Entry = Mapping[str, Any]


def mean_over_seeds(by_seed: Sequence[Sequence[Entry]]) -> list[dict[str, Any]]:
    """Return one entry per case whose numbers are means over seeds.

    Seeds without a value are left out; if no seed has one, the mean is None.

    Args:
        by_seed: per seed the entries of the same cases in the same order; values are numbers, None, text or dicts.
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
            numbers = [value for value in values if value is not None]
            result[key] = float(np.mean(numbers)) if numbers else None
    return result


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """Return "count", "mean", "median" and "ci95" of the mean of values that are not None.

    A figure that the values do not allow is None.
    """
    numbers = np.array([value for value in values if value is not None], dtype=np.float64)
    return {
        "count": numbers.size,
        "mean": float(numbers.mean()) if numbers.size else None,
        "median": float(np.median(numbers)) if numbers.size else None,
        "ci95": interval(numbers),
    }


def interval(values: Numbers) -> list[float] | None:
    """Return the 95 % confidence interval of the mean, by the percentile bootstrap over cases.

    It is None for fewer than ``MIN_CASES_FOR_INTERVAL`` values.
    """
    if values.size < MIN_CASES_FOR_INTERVAL:
        return None
    bootstrap = stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, method="percentile", rng=np.random.default_rng(0), batch=1000
    )
    return [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)]


def fraction_failed(dice: Sequence[float]) -> float:
    """Return the fraction of cases whose Dice is below ``MIN_DICE``."""
    return float(np.mean(np.asarray(dice) < MIN_DICE))


def compare(dice: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, Any]:
    """Compare a method with a reference by a paired two-sided Wilcoxon test.

    Only cases of both are compared.

    Args:
        dice: Dice of the method by case.
        reference: Dice of the reference by case.

    Returns:
        "count" of pairs, mean "difference" (positive: better than the reference) and "p", which is None for fewer than
        ``MIN_PAIRS_FOR_TEST`` pairs.
    """
    pairs = np.array([(dice[case], reference[case]) for case in dice if case in reference], dtype=np.float64)
    difference = pairs[:, 0] - pairs[:, 1] if pairs.size else np.zeros(0)
    p = None
    if difference.size >= MIN_PAIRS_FOR_TEST:
        p = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
    return {"count": difference.size, "difference": float(difference.mean()) if difference.size else None, "p": p}
