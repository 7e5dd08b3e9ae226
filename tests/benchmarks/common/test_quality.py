"""The worth of a score by hand."""

from __future__ import annotations

import pytest

from benchmarks.common.quality import quality


def test_a_perfect_score_sends_failures_to_review() -> None:
    dice = [0.1, 0.3, *(0.6 + index / 100 for index in range(18))]
    found = quality(dice, dice)
    assert found["spearman"] == pytest.approx(1.0)
    assert (found["failures"], found["failures_reviewed"], found["failures_removed"]) == (2, 2, 1.0)
    assert (found["share_failed"], found["share_failed_after"]) == (0.1, 0.0)


def test_a_reversed_score_keeps_failures() -> None:
    dice = [0.1, 0.3, 0.8, 0.9, 0.95]
    found = quality([1 - value for value in dice], dice)
    assert found["spearman"] == pytest.approx(-1.0)
    assert found["failures_removed"] == 0.0  # of five cases one is looked at, the best
    assert found["share_failed_after"] == 0.5


def test_risk_is_the_mean_error_of_the_best_scored() -> None:
    curve = quality([0.9, 0.2, 0.5], [0.8, 0.2, 0.6])["risk_coverage"]
    assert curve["coverage"] == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve["risk"] == pytest.approx([0.2, 0.3, 1 - 1.6 / 3])


def test_no_correlation_of_a_constant_score() -> None:
    found = quality([1.0, 1.0, 1.0], [0.8, 0.9, 0.7])
    assert (found["spearman"], found["failures_removed"]) == (None, None)
