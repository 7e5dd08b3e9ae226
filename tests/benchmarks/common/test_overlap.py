"""HM and XOR against their definitions, counted pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common.overlap import error_metrics, overlap_metrics

masks = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


@given(masks)
def test_metrics_are_their_definitions(pixels: list[tuple[bool, bool]]) -> None:
    wrong = both = union = positive = 0
    for predicted, actual in pixels:
        wrong += predicted != actual
        both += predicted and actual
        union += predicted or actual
        positive += actual
    prediction, truth = np.array(pixels, dtype=bool).reshape(-1, 1, 2).transpose(2, 0, 1)
    metrics = overlap_metrics(prediction, truth)
    assert metrics["iou"] == pytest.approx(both / union if union else 1)
    assert metrics["hm"] == pytest.approx(1 - metrics["iou"], abs=1e-6)
    if positive:
        assert metrics["xor"] == pytest.approx(wrong / positive)
        assert metrics["dice"] == pytest.approx(2 * both / (both + union), abs=1e-6)
    else:
        assert metrics["xor"] == (None if union else 0)


def test_xor_exceeds_one_where_more_is_wrong_than_true() -> None:
    prediction, truth = np.array([[1, 1, 1, 1, 0]], dtype=bool), np.array([[0, 0, 0, 1, 1]], dtype=bool)
    assert error_metrics(prediction, truth) == {"hm": 4 / 5, "xor": 4 / 2}
