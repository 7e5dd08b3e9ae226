"""The ramp-up of Laine and Aila: its ends, its middle, and that it only rises."""

from __future__ import annotations

import math

import pytest
import torch

from s3net_monai.losses.ramp_up import sigmoid_ramp_up


@pytest.mark.parametrize(
    ("step", "length", "expected"),
    [
        (0, 10, math.exp(-5)),
        (5, 10, math.exp(-5 / 4)),
        (9, 10, math.exp(-0.05)),
        (10, 10, 1.0),
        (10**6, 10, 1.0),
        (0, 0, 1.0),
        (3, 0, 1.0),
    ],
)
def test_expected_values(step: int, length: int, expected: float) -> None:
    assert sigmoid_ramp_up(torch.tensor(step), length).item() == pytest.approx(expected, rel=1e-5)


def test_it_only_rises() -> None:
    weight = sigmoid_ramp_up(torch.arange(40), 30)
    assert (weight.diff()[:30] > 0).all()
    assert (weight[30:] == 1).all()
