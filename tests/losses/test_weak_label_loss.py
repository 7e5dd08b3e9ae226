"""Training on weak labels: values by hand, a loop, and voxels without weight."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from s3net_monai.losses import WeakLabelLoss


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("foreground", "weak_label", "weight", "expected"),
    [
        (column(0.5, 0.5), column(1, 0), None, math.log(2)),
        (column(0.9, 0.1), column(1, 0), None, -math.log(0.9)),
        (column(0.8, 0.3), column(1, 0.5), None, -math.log(0.8)),  # a split vote has no weight
        (column(0.8, 0.3), column(1, 0.75), None, -(math.log(0.8) + 0.5 * math.log(0.3)) / 1.5),
        (column(0.8, 0.3), column(0, 0.25), None, -(math.log(0.2) + 0.5 * math.log(0.7)) / 1.5),
        (column(0.8, 0.3), column(1, 1), column(1, 0), -math.log(0.8)),
        (column(0.8, 0.3), column(1, 0.75), column(0.5, 2), -(0.5 * math.log(0.8) + math.log(0.3)) / 1.5),
        (column(0.8, 0.3), column(0.5, 0.5), None, 0.0),
        (column(1 - 1e-9, 1e-9), column(1, 0), None, 0.0),
        (column(1 - 1e-9, 1e-9), column(0, 1), None, -math.log(1e-9)),
    ],
)
def test_expected_values(
    foreground: torch.Tensor, weak_label: torch.Tensor, weight: torch.Tensor | None, expected: float
) -> None:
    loss = WeakLabelLoss()(
        torch.logit(foreground.double()), weak_label.double(), None if weight is None else weight.double()
    )
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 3, 4), (2, 1, 5, 2), (2, 1, 2, 3, 4)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("levels", [2, 4])
def test_equals_the_loop(shape: tuple[int, ...], weighted: bool, levels: int) -> None:
    generator = torch.Generator().manual_seed(2)
    logit = torch.randn(shape, generator=generator)
    foreground = torch.sigmoid(logit)
    weak_label = torch.randint(0, levels + 1, shape, generator=generator) / levels
    weight = torch.rand(shape, generator=generator) if weighted else None
    numerator = denominator = 0.0
    for voxel in product(*map(range, shape)):
        p, v = foreground[voxel].item(), weak_label[voxel].item()
        agreement = abs(2 * v - 1) * (1.0 if weight is None else weight[voxel].item())
        numerator -= agreement * math.log(p if v > 0.5 else 1 - p)
        denominator += agreement
    assert WeakLabelLoss()(logit, weak_label, weight).item() == pytest.approx(numerator / max(denominator, 1), rel=1e-4)


def test_a_certain_contradiction_has_a_gradient() -> None:
    logit = column(60.0, -60.0).requires_grad_()
    WeakLabelLoss()(logit, column(0, 1)).backward()
    assert logit.grad.flatten().tolist() == pytest.approx([0.5, -0.5])


def test_gradient_follows_the_weak_label() -> None:
    foreground = column(0.4, 0.4, 0.4).requires_grad_()
    WeakLabelLoss()(foreground, column(1, 0.5, 0)).backward()
    gradient = foreground.grad.flatten()
    assert gradient[0] < 0 < gradient[2]
    assert gradient[1] == 0


@pytest.mark.parametrize(
    ("weak_label", "weight", "message"),
    [
        (torch.zeros(1, 1, 4, 3), None, r"foreground \(1, 1, 3, 4\) and weak label \(1, 1, 4, 3\) differ"),
        (
            torch.zeros(1, 1, 3, 4),
            torch.ones(1, 1, 3, 1),
            r"weight \(1, 1, 3, 1\) and weak label \(1, 1, 3, 4\) differ",
        ),
    ],
)
def test_other_shapes_are_refused(weak_label: torch.Tensor, weight: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeakLabelLoss()(torch.zeros(1, 1, 3, 4), weak_label, weight)
