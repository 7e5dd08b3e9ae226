"""The synthetic dermoscopy: deterministic, one lesion, darker than the skin around it."""

import numpy as np
import pytest
from scipy import ndimage

from data_prep.phantom_skin import skin_phantom


def test_same_seed_same_bytes():
    first, second = skin_phantom((96, 72), 5), skin_phantom((96, 72), 5)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[1], skin_phantom((96, 72), 6)[1])


@pytest.mark.parametrize("shape", [(120, 90), (64, 100)])
def test_arrays_are_rows_by_columns(shape):
    image, truth = skin_phantom(shape)
    assert image.shape == (shape[1], shape[0], 3)
    assert truth.shape == (shape[1], shape[0])
    assert image.dtype == truth.dtype == np.uint8


@pytest.mark.parametrize("seed", range(12))
def test_one_lesion_darker_than_the_skin_around_it(seed):
    image, truth = skin_phantom((192, 144), seed)
    inside = truth > 0
    assert 0.03 < inside.mean() < 0.5
    parts, count = ndimage.label(inside)
    assert np.bincount(parts.ravel())[1:].max() > 0.98 * inside.sum(), count
    ring = ndimage.binary_dilation(inside, iterations=14) & ~ndimage.binary_dilation(inside, iterations=4)
    gray = image.mean(axis=2)
    assert np.median(gray[inside]) < np.median(gray[ring]) - 15


def test_seeds_vary_in_their_artifacts():
    corners = [skin_phantom((96, 72), seed)[0][:4, :4].mean() for seed in range(12)]
    assert min(corners) < 30  # a vignette
    assert max(corners) > 100  # none
