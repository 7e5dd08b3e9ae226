"""Tests of mean and median under a mask, against NumPy's of all values at once."""

from __future__ import annotations

import numpy as np
import pytest

from s3net_monai.inference.report.hounsfield import mean_and_median


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
@pytest.mark.parametrize("count", [1, 2, 501, 4000])
def test_equals_numpy(dtype: type, count: int) -> None:
    generator = np.random.default_rng(count)
    info = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.iinfo(np.int16)
    image = generator.integers(info.min, info.max, (10, 10, 40), endpoint=True).astype(dtype)
    mask = np.zeros(image.size, dtype=np.uint8)
    mask[generator.permutation(image.size)[:count]] = 2
    mask = mask.reshape(image.shape)
    mean, median = mean_and_median(image, mask, 2)
    assert mean == pytest.approx(float(image[mask == 2].mean(dtype=np.float64)), abs=1e-9)
    assert median == float(np.median(image[mask == 2]))
    assert mean_and_median(image, mask, 1) == (None, None)


def test_ends_of_16_bits_and_values_that_are_not_finite() -> None:
    ends = np.array([-32768, 32767], dtype=np.int16).reshape(1, 1, 2)
    assert mean_and_median(ends, np.ones((1, 1, 2), np.uint8), 1) == (-0.5, -0.5)
    values = np.array([np.nan, 4.0, np.inf, 6.0], dtype=np.float32).reshape(1, 1, 4)
    assert mean_and_median(values, np.ones((1, 1, 4), np.uint8), 1) == (5.0, 5.0)
