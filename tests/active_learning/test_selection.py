"""Orders of images on points that can be told by eye."""

from __future__ import annotations

import numpy as np
import pytest

from s3net_monai.active_learning import covering, next_images
from s3net_monai.active_learning.selection import z_scored

# three groups on a line, and one image far off
LINE = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0], [9.1], [9.2], [40.0]])


def group(index: int) -> int:
    return index // 3


def test_first_round_takes_the_middle_of_every_group_before_the_odd_image() -> None:
    chosen = next_images(LINE, [0.5] * 10, (), 4)
    assert chosen[0] == 4  # the medoid of all
    assert {group(index) for index in chosen[:2]} == {1, 3} or {group(index) for index in chosen[:3]} == {0, 1, 2}
    assert len({group(index) for index in chosen}) == 4


def test_greedy_goes_on_where_it_stopped() -> None:
    whole = covering(LINE, range(10), (), 6)
    first = covering(LINE, range(10), (), 2)
    rest = covering(LINE, [index for index in range(10) if index not in first], first, 4)
    assert whole[:2] == first
    assert set(rest).isdisjoint(first)
    assert {group(index) for index in [*first, *rest]} == {0, 1, 2, 3}


def test_later_rounds_are_ordered_by_consistency() -> None:
    scores = [0.9, 0.3, 0.8, 0.1, 0.7, 0.2, 0.6, 0.5, 0.4, 0.95]
    assert next_images(LINE, scores, (3,), 3, first_round=1, among=1) == [5, 1, 8]


def test_of_the_least_consistent_neighbors_one_is_enough() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9]
    chosen = next_images(LINE, scores, (4,), 2, first_round=1, among=4)
    assert {group(index) for index in chosen} == {0, 2}


def test_scores_count_from_the_end_of_the_first_round_on() -> None:
    """Index 3 has neighbors that cover it, but its score is the lowest."""
    scores = [0.9] * 3 + [0.1] + [0.9] * 6
    assert next_images(LINE, scores, (), 3, first_round=2, among=1)[2] == 3
    assert 3 not in next_images(LINE, scores, (), 3, first_round=3, among=1)


def test_several_are_what_one_after_the_other_would_be() -> None:
    numbers = np.random.default_rng(0)
    points, scores = numbers.normal(size=(90, 3)), numbers.uniform(size=90).tolist()
    taken = [3, 50]
    while len(taken) < 32:
        taken += next_images(points, scores, taken)
    assert next_images(points, scores, (3, 50), 30) == taken[2:]


def test_an_image_without_a_score_comes_first() -> None:
    assert next_images(LINE, [0.5] * 7 + [None] + [0.5] * 2, (0,), first_round=1, among=1) == [7]


@pytest.mark.parametrize("first_round", [0, 10])
def test_taken_images_are_not_chosen_and_all_others_can_be(first_round: int) -> None:
    chosen = next_images(LINE, [0.5] * 10, (2, 7), 100, first_round=first_round)
    assert sorted(chosen) == [0, 1, 3, 4, 5, 6, 8, 9]
    assert next_images(LINE, [0.5] * 10, range(10), 3) == []


def test_equal_images_are_all_in_the_order() -> None:
    assert sorted(next_images(np.ones((4, 3)), [0.5] * 4, (), 4)) == [0, 1, 2, 3]


def test_every_feature_counts_alike() -> None:
    scaled = z_scored(np.array([[0.0, 1000.0, 7.0], [1.0, 3000.0, 7.0]]))
    np.testing.assert_allclose(scaled, [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
