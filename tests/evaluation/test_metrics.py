"""Metrics on masks with known values."""

from __future__ import annotations

import numpy as np
import pytest

from s3net_monai.evaluation import label_metrics, mask_metrics


def square(size: int, start: int, stop: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[start:stop, start:stop] = True
    return mask


def test_overlap_of_known_masks() -> None:
    first, second = np.array([[1, 1, 0, 0]], dtype=bool), np.array([[0, 1, 1, 1]], dtype=bool)
    scores = mask_metrics(first, second, (1, 1))
    assert scores["dice"] == pytest.approx(2 / 5)
    assert scores["iou"] == pytest.approx(1 / 4)


def test_distances_have_the_unit_of_spacing() -> None:
    first, second = np.zeros((2, 9, 9), dtype=bool)
    first[4, 2], second[4, 6] = True, True  # single voxels, four apart along the second axis
    scores = mask_metrics(first, second, (1.0, 2.5))
    assert scores["hd95"] == pytest.approx(10.0)
    assert scores["surface_distance"] == pytest.approx(10.0)


def test_distances_in_three_dimensions_use_each_axis() -> None:
    first, second = np.zeros((2, 6, 6, 6), dtype=bool)
    first[2:4, 2:4, 1], second[2:4, 2:4, 3] = True, True
    assert mask_metrics(first, second, (1.0, 1.0, 5.0))["hd95"] == pytest.approx(10.0)


def test_equal_masks() -> None:
    assert mask_metrics(square(8, 2, 6), square(8, 2, 6), (1, 1)) == {
        "dice": 1.0,
        "iou": 1.0,
        "hd95": 0.0,
        "surface_distance": 0.0,
    }


def test_empty_masks() -> None:
    empty = np.zeros((8, 8), dtype=bool)
    assert mask_metrics(empty, empty, (1, 1)) == {"dice": 1.0, "iou": 1.0, "hd95": 0.0, "surface_distance": 0.0}
    for pair in [(empty, square(8, 2, 6)), (square(8, 2, 6), empty)]:
        assert mask_metrics(*pair, (1, 1)) == {"dice": 0.0, "iou": 0.0, "hd95": None, "surface_distance": None}


def test_every_label_is_scored() -> None:
    prediction, truth = np.array([[1, 1, 2, 0]]), np.array([[1, 0, 2, 3]])
    scores = label_metrics(prediction, truth, (1, 1))
    assert {value: score["dice"] for value, score in scores.items()} == {"1": pytest.approx(2 / 3), "2": 1.0, "3": 0.0}
