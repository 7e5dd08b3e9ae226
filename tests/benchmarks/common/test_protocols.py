"""The three protocols on masks that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.protocols import label_free, oracle_cluster, published
from benchmarks.common.types import Partition


def _square(shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[low:high, low:high] = True
    return mask


def test_label_free_is_the_methods_own_mask() -> None:
    partition = Partition(_square((8, 8), 0, 3), np.zeros((8, 8), dtype=int))
    assert np.array_equal(label_free(partition, _square((8, 8), 5, 8)), partition.mask)


@pytest.mark.parametrize("lesion", [0, 1])
def test_the_oracle_picks_the_better_of_two_clusters(lesion: int) -> None:
    truth = _square((20, 20), 6, 14)
    partition = Partition(~truth, np.where(truth, lesion, 1 - lesion))
    assert np.array_equal(oracle_cluster(partition, truth), truth)


def test_the_oracle_picks_one_cluster_and_no_union() -> None:
    truth = _square((20, 20), 4, 16)
    clusters = np.zeros((20, 20), dtype=int)
    clusters[4:10, 4:16], clusters[10:16, 4:16] = 7, 3  # half the truth each; numbers with gaps
    clusters[10, 4:16] = 7  # 84 against 60 pixels
    assert np.array_equal(oracle_cluster(Partition(truth, clusters), truth), clusters == 7)


def test_published_protocol_dilates_the_truth_by_four_pixels() -> None:
    truth = _square((60, 60), 20, 40)
    everything = Partition(np.ones_like(truth), np.zeros(truth.shape, dtype=int))
    assert np.array_equal(published(everything, truth), _square((60, 60), 16, 44))
    dice = 2 * 400 / (400 + 28**2)
    assert 2 * (published(everything, truth) & truth).sum() / (784 + 400) == pytest.approx(dice)


def test_clipping_comes_before_the_choice() -> None:
    truth = _square((60, 60), 20, 40)
    clusters = np.ones(truth.shape, dtype=int)
    clusters[20:40, 20:34] = 0  # 280 of 400 pixels of the truth; cluster 1 holds 120, and 384 more of the clip
    partition = Partition(truth, clusters)
    assert np.array_equal(published(partition, truth), clusters == 0)
    clusters[20:40, 24:34] = 1  # 80 against 320 of the truth: clipped, the skin wins
    assert np.array_equal(published(partition, truth), (clusters == 1) & _square((60, 60), 16, 44))


def test_a_volume_is_dilated_in_its_axial_slices_only() -> None:
    truth = np.zeros((30, 30, 3), dtype=bool)
    truth[10:20, 10:20, 1] = True
    mask = published(Partition(truth, np.zeros(truth.shape, dtype=int)), truth)
    assert not mask[..., [0, 2]].any()
    assert np.array_equal(mask[..., 1], _square((30, 30), 6, 24))


def test_an_empty_truth_empties_the_clipped_mask() -> None:
    empty = np.zeros((9, 9), dtype=bool)
    assert not published(Partition(~empty, np.zeros((9, 9), dtype=int)), empty).any()
