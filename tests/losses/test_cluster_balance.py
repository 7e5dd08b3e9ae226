"""Balance of clusters: extreme values, gradient, and a loop over voxels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from s3net_monai.losses import ClusterBalanceLoss


def hard(labels: Tensor, num_clusters: int, confidence: float = 60.0) -> Tensor:
    """Logits (B, K, ...) that put everything on the cluster of ``labels`` (B, ...)."""
    return confidence * torch.nn.functional.one_hot(labels, num_clusters).movedim(-1, 1).float()


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (torch.zeros(2, 3, 4, 5), 0.0),  # undecided voxels: frequencies are equal
        (hard(torch.zeros(1, 6, 6, dtype=torch.long), 4), math.log(4)),  # one cluster for everything
        (hard(torch.tensor([[[0, 1], [2, 3]]]), 4), 0.0),  # decided voxels, all clusters used
        (hard(torch.tensor([[[0, 0]], [[1, 1]]]), 2), 0.0),  # one cluster per image, but equal over the batch
        (hard(torch.tensor([[[0, 0], [1, 1]]]), 4), math.log(2)),  # half of the clusters used
        (
            hard(torch.tensor([[[[0], [0]], [[0], [1]]]]), 2),
            math.log(2) + 0.75 * math.log(0.75) + 0.25 * math.log(0.25),
        ),
    ],
)
def test_expected_values(logits: Tensor, expected: float) -> None:
    assert ClusterBalanceLoss()(logits).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 3, 4), (3, 5, 2, 3), (2, 3, 2, 3, 4)])
@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_equals_the_loop(shape: tuple[int, ...], spread: float) -> None:
    logits = spread * torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    voxels = logits.movedim(1, -1).reshape(-1, shape[1]).tolist()
    frequency = [0.0] * shape[1]
    for voxel in voxels:
        total = sum(math.exp(score) for score in voxel)
        for k, score in enumerate(voxel):
            frequency[k] += math.exp(score) / total / len(voxels)
    expected = math.log(shape[1]) + sum(value * math.log(value) for value in frequency)
    assert ClusterBalanceLoss()(logits).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_descent_raises_an_unused_cluster() -> None:
    logits = hard(torch.zeros(1, 4, 4, dtype=torch.long), 3, confidence=5.0).requires_grad_()
    ClusterBalanceLoss()(logits).backward()
    assert (logits.grad[:, 0] > 0).all()
    assert (logits.grad[:, 1:] < 0).all()


def test_total_collapse_has_a_finite_gradient() -> None:
    """A difference of 300 makes the frequency of the other cluster exactly 0 in float32."""
    logits = torch.tensor([300.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    loss = ClusterBalanceLoss()(logits)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert logits.grad.isfinite().all()


def test_gradient_is_that_of_the_formula() -> None:
    logits = torch.randn(2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(ClusterBalanceLoss(), logits.requires_grad_())


def test_scriptable() -> None:
    logits = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(torch.jit.script(ClusterBalanceLoss())(logits), ClusterBalanceLoss()(logits))
