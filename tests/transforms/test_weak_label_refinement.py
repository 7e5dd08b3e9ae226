"""Tests of the refinement of a probability by labeling functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s3net_monai.transforms import RefineWithWeakLabelsd, weak_label_refinement
from s3net_monai.transforms.weak_label_refinement import refine_with_weak_labels

IMAGE = np.zeros((3, 10, 10), dtype=np.float32)


def two_labeling_functions(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    left[1:5, 2:8] = right[4:8, 2:8] = True
    monkeypatch.setattr(weak_label_refinement, "skin_labeling_functions", lambda _: [left, right])
    return left, right


def test_weights_are_powers_of_the_soft_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = two_labeling_functions(monkeypatch)
    probability = np.where(left, 0.8, 0.1).astype(np.float32)
    overlaps = [2 * sum(probability[mask]) / (mask.sum() + probability.sum()) for mask in (left, right)]
    weights = np.array(overlaps) ** 3 / sum(overlap**3 for overlap in overlaps)
    expected = 0.6 * probability + 0.4 * (weights[0] * left + weights[1] * right)
    np.testing.assert_allclose(refine_with_weak_labels(probability, IMAGE, weight=0.4, power=3), expected, rtol=1e-5)


def test_the_mask_that_fits_best_prevails(monkeypatch: pytest.MonkeyPatch) -> None:
    left, _ = two_labeling_functions(monkeypatch)
    probability = np.zeros((10, 10), dtype=np.float32)
    probability[1:4, 3:8] = 0.9  # most of the left one
    np.testing.assert_array_equal(refine_with_weak_labels(probability, IMAGE) > 0.45, left)


@pytest.mark.parametrize("masks", [[], [np.zeros((10, 10), bool)], [np.eye(10, dtype=bool)]])
def test_without_an_overlapping_mask_the_probability_stays(
    monkeypatch: pytest.MonkeyPatch, masks: list[np.ndarray]
) -> None:
    monkeypatch.setattr(weak_label_refinement, "skin_labeling_functions", lambda _: masks)
    probability = np.zeros((10, 10), dtype=np.float32)
    probability[0, 5] = 0.7
    np.testing.assert_array_equal(refine_with_weak_labels(probability, IMAGE), probability)


def test_an_empty_mask_and_an_empty_probability_stay_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        weak_label_refinement, "skin_labeling_functions", lambda _: [np.zeros((10, 10), bool), np.eye(10, dtype=bool)]
    )
    np.testing.assert_array_equal(refine_with_weak_labels(np.zeros((10, 10), np.float32), IMAGE), 0)


def test_transform_preserves_type_and_image(monkeypatch: pytest.MonkeyPatch) -> None:
    left, _ = two_labeling_functions(monkeypatch)
    probability = torch.from_numpy(np.where(left, 0.8, 0.1).astype(np.float32))[None]
    image = torch.from_numpy(IMAGE)
    result = RefineWithWeakLabelsd("pred")({"pred": probability, "image": image})
    np.testing.assert_allclose(result["pred"][0], refine_with_weak_labels(probability[0].numpy(), IMAGE))
    assert result["pred"].dtype == probability.dtype
    assert result["image"] is image
