"""The worth of a score by hand."""

from __future__ import annotations

import pytest

from benchmarks.common.quality import quality


def test_a_perfect_score_sends_failures_to_review() -> None:
    dice = [0.1, 0.3, *(0.6 + index / 100 for index in range(18))]
    figures = quality(dice, dice)
    assert figures["spearman"] == pytest.approx(1.0)
    assert (figures["failures"], figures["failures_reviewed"], figures["failures_removed"]) == (2, 2, 1.0)
    assert (figures["share_failed"], figures["share_failed_after"]) == (0.1, 0.0)


def test_a_reversed_score_keeps_failures() -> None:
    dice = [0.1, 0.3, 0.8, 0.9, 0.95]
    figures = quality([1 - value for value in dice], dice)
    assert figures["spearman"] == pytest.approx(-1.0)
    assert figures["failures_removed"] == 0.0  # one case of five is reviewed, the best one
    assert figures["share_failed_after"] == 0.5


def test_risk_is_the_mean_error_of_the_best_scored() -> None:
    curve = quality([0.9, 0.2, 0.5], [0.8, 0.2, 0.6])["risk_coverage"]
    assert curve["coverage"] == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve["risk"] == pytest.approx([0.2, 0.3, 1 - 1.6 / 3])


def test_no_correlation_of_a_constant_score() -> None:
    figures = quality([1.0, 1.0, 1.0], [0.8, 0.9, 0.7])
    assert (figures["spearman"], figures["failures_removed"]) == (None, None)
