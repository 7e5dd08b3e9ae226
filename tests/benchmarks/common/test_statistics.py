"""Figures by hand, and by another implementation where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.statistics import compare, fraction_failed, interval, mean_over_seeds, summary


def test_mean_over_seeds_leaves_out_missing_values() -> None:
    first = [{"case_id": "a", "seconds": 1.0, "consistency": None, "label-free": {"dice": 0.4, "hd95": None}}]
    second = [{"case_id": "a", "seconds": 3.0, "consistency": None, "label-free": {"dice": 0.8, "hd95": 5.0}}]
    (entry,) = mean_over_seeds([first, second])
    assert entry["label-free"] == {"dice": pytest.approx(0.6), "hd95": 5.0}
    assert (entry["case_id"], entry["seconds"], entry["consistency"]) == ("a", 2.0, None)


def test_seeds_must_hold_the_same_cases() -> None:
    with pytest.raises(ValueError, match="zip"):
        mean_over_seeds([[{"case_id": "a"}], []])


def test_summary_ignores_missing_values() -> None:
    figures = summary([1.0, None, 3.0, 8.0])
    assert (figures["count"], figures["mean"], figures["median"], figures["ci95"]) == (3, 4.0, 3.0, None)
    assert summary([None]) == {"count": 0, "mean": None, "median": None, "ci95": None}


def test_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    low, high = interval(values) or (0, 0)
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == (
        pytest.approx(values.mean() - half, abs=half / 10),
        pytest.approx(values.mean() + half, abs=half / 10),
    )
    assert interval(values) == [low, high]  # the same file from the same scores


def test_fraction_below_half_does_not_count_half_itself() -> None:
    assert fraction_failed([0.49, 0.5, 0.2, 0.9]) == 0.5


def test_six_gains_of_six_have_the_smallest_p() -> None:
    reference = {str(index): 0.5 for index in range(6)}
    better = {str(index): 0.6 + index / 100 for index in range(6)}
    figures = compare(better, reference)
    assert figures["count"] == 6
    assert figures["difference"] == pytest.approx(0.125)
    assert figures["p"] == pytest.approx(2 / 2**6)  # both signs of all six


def test_only_cases_of_both_are_compared() -> None:
    figures = compare({"a": 0.9, "b": 0.1, "z": 0.0}, {"a": 0.8, "b": 0.2, "c": 1.0})
    assert (figures["count"], figures["difference"], figures["p"]) == (2, pytest.approx(0.0), None)


def test_equal_methods_do_not_differ() -> None:
    dice = {str(index): index / 10 for index in range(8)}
    assert compare(dice, dice)["p"] == 1.0
