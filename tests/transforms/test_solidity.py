"""Tests of solidity on shapes with a known convex hull."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.morphology import convex_hull_image

from s3net_monai.transforms import Solidityd
from s3net_monai.transforms.solidity import solidity


def test_convex_shapes_are_solid_and_an_empty_mask_is_not() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    assert solidity(mask) == 0
    mask[3:15, 4:10] = True
    assert solidity(mask) == 1


def test_a_missing_corner_counts_by_half_of_its_area() -> None:
    mask = np.ones((40, 40), dtype=bool)
    mask[20:, 20:] = False  # the hull cuts the missing square along its diagonal
    assert solidity(mask) == pytest.approx(1200 / 1400, abs=0.02)


def test_transform_thresholds_at_one_half() -> None:
    probability = torch.full((1, 10, 10), 0.4)
    probability[0, 2:6, 2:6] = 0.6
    sample = Solidityd("pred", quality_factor_key="worth")({"pred": probability})
    assert sample["worth"] == 1
    assert sample["pred"] is probability


def test_a_mask_at_the_edge_has_the_solidity_of_one_in_the_middle() -> None:
    mask = np.zeros((60, 50), bool)
    mask[:20, :4] = mask[16:20, :25] = True
    middle = np.pad(mask, 9)
    whole = float(middle.sum() / convex_hull_image(middle).sum())
    assert solidity(mask) == solidity(middle) == whole
