"""Selection of images, on points whose order can be checked by eye."""

from __future__ import annotations

import numpy as np
import pytest

from s3net_monai.active_learning import select_images, select_medoids
from s3net_monai.active_learning.selection import standardize

# three groups on a line, and one outlier
LINE = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0], [9.1], [9.2], [40.0]])


def group(index: int) -> int:
    return index // 3


def test_first_round_selects_group_medoids_before_the_outlier() -> None:
    selected = select_images(LINE, [0.5] * 10, selected=(), count=4)
    assert selected[0] == 4  # the medoid of all
    assert {group(index) for index in selected[:2]} == {1, 3} or {group(index) for index in selected[:3]} == {0, 1, 2}
    assert len({group(index) for index in selected}) == 4


def test_selection_can_be_continued() -> None:
    at_once = select_medoids(LINE, range(10), selected=(), count=6)
    first = select_medoids(LINE, range(10), selected=(), count=2)
    remaining = [index for index in range(10) if index not in first]
    second = select_medoids(LINE, remaining, selected=first, count=4)
    assert at_once[:2] == first
    assert set(second).isdisjoint(first)
    assert {group(index) for index in [*first, *second]} == {0, 1, 2, 3}


def test_later_rounds_are_ordered_by_consistency() -> None:
    scores = [0.9, 0.3, 0.8, 0.1, 0.7, 0.2, 0.6, 0.5, 0.4, 0.95]
    assert select_images(LINE, scores, selected=(3,), count=3, first_round=1, max_candidates=1) == [5, 1, 8]


def test_one_of_several_similar_inconsistent_images_suffices() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9]
    selected = select_images(LINE, scores, selected=(4,), count=2, first_round=1, max_candidates=4)
    assert {group(index) for index in selected} == {0, 2}


def test_scores_count_after_the_first_round() -> None:
    """Image 3 is close to other images, but its score is the lowest."""
    scores = [0.9] * 3 + [0.1] + [0.9] * 6
    assert select_images(LINE, scores, selected=(), count=3, first_round=2, max_candidates=1)[2] == 3
    assert 3 not in select_images(LINE, scores, selected=(), count=3, first_round=3, max_candidates=1)


def test_several_at_once_equal_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    points, scores = rng.normal(size=(90, 3)), rng.uniform(size=90).tolist()
    selected = [3, 50]
    while len(selected) < 32:
        selected += select_images(points, scores, selected=selected)
    assert select_images(points, scores, selected=(3, 50), count=30) == selected[2:]


def test_image_without_a_score_comes_first() -> None:
    scores = [0.5] * 7 + [None] + [0.5] * 2
    assert select_images(LINE, scores, selected=(0,), first_round=1, max_candidates=1) == [7]


@pytest.mark.parametrize("first_round", [0, 10])
def test_only_and_all_unselected_images_can_be_selected(first_round: int) -> None:
    selected = select_images(LINE, [0.5] * 10, selected=(2, 7), count=100, first_round=first_round)
    assert sorted(selected) == [0, 1, 3, 4, 5, 6, 8, 9]
    assert select_images(LINE, [0.5] * 10, selected=range(10), count=3) == []


def test_identical_images_are_all_selected() -> None:
    assert sorted(select_images(np.ones((4, 3)), [0.5] * 4, selected=(), count=4)) == [0, 1, 2, 3]


def test_every_feature_has_the_same_weight() -> None:
    standardized = standardize(np.array([[0.0, 1000.0, 7.0], [1.0, 3000.0, 7.0]]))
    np.testing.assert_allclose(standardized, [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
