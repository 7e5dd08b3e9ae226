"""A mask that hardly any structure has is a warning of its own."""

from __future__ import annotations

import numpy as np
import pytest

from s3net_monai.inference.report.mask_warnings import mask_warnings
from s3net_monai.inference.report.measures import measure_warnings, measures
from s3net_monai.tasks import TASKS

LUNG, SKIN = TASKS["lung"], TASKS["skin"]


def picture(*part: slice) -> np.ndarray:
    mask = np.zeros((40, 30), np.uint8)
    mask[part] = 1
    return mask


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (picture(slice(0), slice(0)), ["the mask is empty"]),
        (picture(slice(5, 20), slice(5, 20)), []),
        (picture(slice(0, 20), slice(0, 20)), []),  # a lesion in a corner
        (picture(slice(0, 40), slice(0, 20)), ["the mask touches 3 edges of the image: review it"]),
        (picture(slice(0, 40), slice(0, 30)), ["the mask covers 100% of the image: review it"]),
        (picture(slice(0, 38), slice(1, 30)), ["the mask covers 92% of the image: review it"]),
    ],
)
def test_extent_of_a_lesion(mask: np.ndarray, expected: list[str]) -> None:
    assert mask_warnings(mask, SKIN) == expected


def test_inside_a_frame_only_the_picture_counts() -> None:
    mask = picture(slice(10, 30), slice(8, 22))
    assert mask_warnings(mask, SKIN) == []
    content = (slice(10, 30), slice(8, 22))
    assert mask_warnings(mask, SKIN, content) == ["the mask covers 100% of the image: review it"]


def test_a_volume_may_touch_its_edges_but_not_fill_it() -> None:
    volume = np.zeros((10, 10, 4), np.uint8)
    volume[:5] = 1
    assert mask_warnings(volume, LUNG) == []
    assert mask_warnings(np.ones_like(volume), LUNG) == ["the mask covers 100% of the image: review it"]


@pytest.mark.parametrize(
    ("hu", "spacing", "expected"),
    [
        (-850, 10, []),
        (180, 10, ["the median of the lungs is above 0 HU"]),
        (-850, 60, ["the lungs have more than 10 l"]),
    ],
)
def test_lungs_that_nobody_has(hu: int, spacing: float, expected: list[str]) -> None:
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[1:4, 2:10, 2:10] = mask[8:11, 2:10, 2:10] = 1  # 384 voxels: 0.38 or 83 l
    values = measures(mask, np.diag([spacing, spacing, spacing, 1]), LUNG, image=np.full(mask.shape, hu))
    warnings = measure_warnings(values)
    assert len(warnings) == len(expected)
    assert all(warning.startswith(start) for warning, start in zip(warnings, expected, strict=True))


def test_without_hounsfield_units_there_are_no_hounsfield_values() -> None:
    mask = np.ones((2, 2, 2), np.uint8)
    values = measures(mask, np.eye(4), LUNG, image=np.full(mask.shape, 180), in_hu=False)
    assert values["mean_hu"] is None
    assert values["median_hu"] is None
    assert values["volume_ml"] == 0.008
    assert not [warning for warning in measure_warnings(values) if "HU" in warning]
