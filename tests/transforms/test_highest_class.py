"""Tests of the class with the highest score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from s3net_monai.transforms.highest_class import HighestClassd, highest_class


@pytest.mark.parametrize("shape", [(1, 4, 5), (2, 7, 3), (4, 6, 5, 3), (9, 3, 3)])
def test_is_the_argmax_also_of_equal_scores(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(len(shape) + shape[0])
    scores = generator.integers(0, 4, shape) / 4  # few values, so that many are equal
    expected = np.empty(shape[1:], dtype=np.uint8)
    for index in np.ndindex(*shape[1:]):  # the slow reference: the first of the highest
        here = [float(scores[value][index]) for value in range(shape[0])]
        expected[index] = here.index(max(here))
    result = highest_class(torch.from_numpy(scores))
    assert result.dtype == torch.uint8
    np.testing.assert_array_equal(result.numpy(), expected)


def test_of_views_that_are_not_contiguous() -> None:
    scores = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0))
    turned = torch.rot90(scores, 1, (1, 2))
    assert torch.equal(highest_class(turned), turned.contiguous().argmax(dim=0).to(torch.uint8))


def test_the_transform_keeps_the_grid() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    scores = MetaTensor(torch.tensor([0.1, 0.6, 0.3]).reshape(3, 1, 1, 1).expand(3, 2, 2, 2), affine=affine)
    result = HighestClassd("pred")({"pred": scores})["pred"]
    assert isinstance(result, MetaTensor)
    assert result.shape == (1, 2, 2, 2)
    assert bool((result == 1).all())
    assert torch.equal(result.affine, affine)
    assert scores.shape == (3, 2, 2, 2)  # unchanged
