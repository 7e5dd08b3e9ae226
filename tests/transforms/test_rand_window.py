"""Tests of random windows: effect, frequency, and repetition by seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import CacheDataset, MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import RandWindowd

RAMP = torch.linspace(0, 1, 101).reshape(1, 101, 1)


def windows(count: int, **settings: Any) -> np.ndarray:
    """Return begin and end of the windows of many calls, (count, 2)."""
    transform = RandWindowd("image", **{"low": 0.2, "high": 0.6, "prob": 1.0, **settings}).set_random_state(0)
    drawn = []
    for _ in range(count):
        transform({"image": RAMP})
        drawn.append(transform.window)
    return np.array(drawn)


def test_a_window_is_stretched_and_the_remainder_clipped() -> None:
    transform = RandWindowd("image", low=0.3, high=0.5, prob=1.0).set_random_state(1)
    result = transform({"image": RAMP})["image"]
    begin, end = transform.window
    assert 0 < begin < 0.3 < 0.5 < end < 1
    np.testing.assert_allclose(result, ((RAMP - begin) / (end - begin)).clamp(0, 1))
    assert result.min() == 0
    assert result.max() == 1
    assert RAMP.max() == 1


def test_begin_and_end_fill_their_ranges() -> None:
    begin, end = windows(400).T
    assert 0 <= begin.min() < 0.01 < 0.19 < begin.max() <= 0.2
    assert 0.6 <= end.min() < 0.61 < 0.99 < end.max() <= 1
    assert abs(np.corrcoef(begin, end)[0, 1]) < 0.15


def test_the_whole_range_leaves_the_image_as_it_is() -> None:
    image = torch.rand(1, 4, 4, 4)
    assert torch.equal(RandWindowd("image", low=0.2, high=0.6, prob=0)({"image": image})["image"], image)
    fraction = (windows(1000, prob=0.3) != (0, 1)).all(axis=1).mean()
    assert fraction == pytest.approx(0.3, abs=0.05)


def test_all_keys_get_one_window_and_keep_their_metadata() -> None:
    image = MetaTensor(RAMP, meta={"filename_or_obj": "a"})
    result = RandWindowd(["image", "other"], low=0.2, high=0.6, prob=1)(
        {"image": image, "other": RAMP, "weak_label": RAMP}
    )
    assert torch.equal(result["image"].as_tensor(), result["other"])
    assert result["image"].meta["filename_or_obj"] == "a"
    assert result["weak_label"] is RAMP


def test_seeds_repeat_and_a_cache_does_not_store_windows() -> None:
    np.testing.assert_array_equal(windows(3), windows(3))
    transform = Compose([RandWindowd("image", low=0.2, high=0.6, prob=1)]).set_random_state(0)
    data = CacheDataset([{"image": RAMP}], transform, progress=False)
    assert not torch.equal(data[0]["image"], data[0]["image"])


def test_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.RandWindowd", "keys": "image", "low": 0.1, "high": 0.6}
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    assert (transform.low, transform.high, transform.prob) == (0.1, 0.6, 0.5)
    assert transform({"image": RAMP})["image"].shape == RAMP.shape


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (-0.1, 0.5), (0.1, 1.1), (0.7, 0.2)])
def test_impossible_windows_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=rf"low is {low} and high {high}, expected 0 <= low < high <= 1"):
        RandWindowd("image", low=low, high=high)
