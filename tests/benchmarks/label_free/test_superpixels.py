"""Merging of super-pixels on images of flat patches."""

from __future__ import annotations

import numpy as np

from benchmarks.label_free.merged_superpixels import adjacency, merged_superpixels


def test_adjacency_is_that_of_regions_that_share_a_face() -> None:
    labels = np.array([[0, 0, 1], [2, 2, 1], [2, 2, 3]])
    expected = np.array([[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]])
    assert np.array_equal(adjacency(labels).toarray(), expected)


def test_adjacency_is_along_all_three_axes() -> None:
    labels = np.arange(8).reshape(2, 2, 2)
    assert np.array_equal(adjacency(labels).toarray().sum(axis=0), np.full(8, 3))


def test_separate_patches_of_like_intensity_stay_separate() -> None:
    image = np.zeros((1, 60, 48))
    image[0, :20], image[0, 20:40] = 1.0, 5.0  # the last patch is as dark as the first, nearly
    regions = merged_superpixels(image, 60, regions=3, compactness=0.01)
    assert regions.shape == (60, 48)
    for patch in (slice(0, 20), slice(20, 40), slice(40, 60)):
        assert len(np.unique(regions[patch])) == 1
    assert len(np.unique(regions)) == 3


def test_fewer_superpixels_than_regions_are_not_merged() -> None:
    assert set(np.unique(merged_superpixels(np.zeros((1, 6, 6)), 1, regions=4, compactness=1.0))) == {0}
