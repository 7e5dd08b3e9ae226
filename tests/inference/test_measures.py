"""Sizes by hand."""

from __future__ import annotations

import numpy as np

from s3net_monai.inference.measures import measures
from s3net_monai.io import LABELS, Code, Label


def test_volume_counts_voxels_times_their_size_also_when_rotated() -> None:
    mask = np.zeros((4, 4, 4), dtype=np.uint8)
    mask[:2, :2, :2] = 1
    rotated = np.array([[0, -2.0, 0, 0], [0.5, 0, 0, 0], [0, 0, -10, 0], [0, 0, 0, 1]])
    assert measures(mask, rotated, LABELS["lung"]) == {"volume_ml": 0.08, "fraction": 0.125}


def test_area_of_a_picture_is_in_pixels() -> None:
    mask = np.array([[1, 1], [1, 0]], dtype=np.uint8)
    assert measures(mask, np.eye(4), LABELS["skin"]) == {"area_px": 3, "fraction": 0.75}


def test_several_classes_are_told_apart() -> None:
    code = Code("1", "x")
    labels = [Label(1, "a", (0, 0, 0), code, code), Label(2, "b", (0, 0, 0), code, code)]
    assert measures(np.array([[1, 2], [2, 0]]), np.eye(4), labels)["area_px"] == {"a": 1, "b": 2}
