"""Weights of labeled and pseudo-labeled samples."""

from __future__ import annotations

import pytest

from s3net_monai.engines import sampling_weights


@pytest.mark.parametrize("labeled", [1, 7])
@pytest.mark.parametrize("pseudo_labeled", [1, 30])
def test_labeled_samples_have_their_fraction(labeled: int, pseudo_labeled: int) -> None:
    weights = sampling_weights(range(labeled), range(pseudo_labeled), labeled_fraction=0.4)
    assert len(weights) == labeled + pseudo_labeled
    assert sum(weights[:labeled]) == pytest.approx(0.4)
    assert sum(weights[labeled:]) == pytest.approx(0.6)
    assert len(set(weights[:labeled])) == len(set(weights[labeled:])) == 1


def test_without_pseudo_labels_only_labeled_samples_count() -> None:
    assert sampling_weights(range(2), []) == [0.125, 0.125]
