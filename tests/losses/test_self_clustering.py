"""Self-clustering: values by hand, reductions, a loop and the direction of the gradient."""

from __future__ import annotations

import math

import pytest
import torch

from s3net_monai.losses import SelfClusteringLoss


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [((0.5, 0.5), math.log(2)), ((0.7, 0.2, 0.1), -math.log(0.7)), ((0.1, 0.9), -math.log(0.9)), ((1.0, 1e-30), 0.0)],
)
def test_expected_values(probabilities: tuple[float, ...], expected: float) -> None:
    logits = torch.tensor(probabilities).log().reshape(1, -1, 1, 1).expand(2, -1, 3, 4)
    assert SelfClusteringLoss()(logits).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 4, 2, 3, 5)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_equals_the_loop(shape: tuple[int, ...], reduction: str) -> None:
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(3))
    value = SelfClusteringLoss(reduction=reduction)(logits)
    losses = []
    for voxel in logits.movedim(1, -1).reshape(-1, shape[1]).tolist():
        total = sum(math.exp(score) for score in voxel)
        losses.append(-math.log(math.exp(max(voxel)) / total))
    expected = torch.tensor(losses).reshape(shape[0], *shape[2:])
    if reduction != "none":
        expected = getattr(expected, reduction)()
    torch.testing.assert_close(value, expected)


def test_descent_strengthens_the_winner() -> None:
    logits = torch.tensor([0.2, 0.1, -0.3]).reshape(1, 3, 1, 1).requires_grad_()
    SelfClusteringLoss()(logits).backward()
    winner, *losers = logits.grad.flatten().tolist()
    assert winner < 0
    assert min(losers) > 0


def test_scriptable() -> None:
    logits = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(torch.jit.script(SelfClusteringLoss())(logits), SelfClusteringLoss()(logits))
