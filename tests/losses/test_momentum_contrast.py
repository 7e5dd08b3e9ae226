"""Losses between a network and its slowly moving copy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.losses import (
    DenseContrastiveLoss,
    DenseMomentumContrast,
    GlobalMomentumContrast,
    RegionContrastiveLoss,
    RegionMomentumContrast,
    SummedLoss,
)
from s3net_monai.networks import FeatureQueue


def _unit(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape), dim=1)


def _info_nce(query: Tensor, key: Tensor, past: Tensor, temperature: float) -> float:
    """Loops over the images: the key of the image against keys of others, queries of others, and the queue."""
    losses = []
    for i in range(len(query)):
        positive = math.exp(float(query[i] @ key[i]) / temperature)
        others = [query[j] for j in range(len(query)) if j != i] + [key[j] for j in range(len(key)) if j != i]
        negative = sum(math.exp(float(query[i] @ other) / temperature) for other in [*others, *past])
        losses.append(-math.log(positive / (positive + negative)))
    return sum(losses) / len(losses)


def test_global_equals_loops_and_fills_the_queue() -> None:
    queue, (query, key, past) = FeatureQueue(16, 5), (_unit(count, 5) for count in (4, 4, 6))
    queue.push(past)
    loss = GlobalMomentumContrast(queue, temperature=0.2)
    found = loss({"query": query.requires_grad_(), "key": key.requires_grad_()}, {})
    assert found.item() == pytest.approx(_info_nce(query.detach(), key.detach(), past, 0.2), rel=1e-5)
    torch.testing.assert_close(queue.features[6:], key.detach())
    found.backward()
    assert query.grad is not None
    assert query.grad.abs().sum() > 0
    assert key.grad is None


def test_global_takes_one_part_of_several_and_leaves_the_queue_alone_in_evaluation() -> None:
    queue, query, key = FeatureQueue(16, 5), _unit(3, 5), _unit(3, 5)
    loss = GlobalMomentumContrast(queue).eval()
    alone = loss({"query": query, "key": key}, {})
    part = loss({"query": {"global": query, "dense": 0}, "key": {"global": key, "dense": 0}}, {})
    torch.testing.assert_close(alone, part)
    assert len(queue.features) == 0


def _dense() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    grid = F.affine_grid(torch.eye(2, 3).repeat(2, 1, 1), [2, 1, 8, 8], align_corners=False)
    regions = torch.arange(1, 5).repeat_interleave(2).repeat_interleave(8).reshape(1, 1, 8, 8).repeat(2, 1, 1, 1)
    target = {"grid": grid, "valid": torch.ones(2, 1, 8, 8), "regions": regions, "key_regions": regions}
    return {"query": _unit(2, 6, 4, 4).requires_grad_(), "key": _unit(2, 6, 4, 4).requires_grad_()}, target


def test_dense_adds_the_queue_to_the_negatives() -> None:
    answer, target = _dense()
    contrast, queue, past = DenseContrastiveLoss(samples=16), FeatureQueue(32, 6), _unit(5, 6)
    queue.push(past)
    loss = DenseMomentumContrast(contrast, queue, kept=3)
    found = loss(answer, target)
    expected = contrast(answer["query"], answer["key"], target["grid"], target["valid"], past)
    torch.testing.assert_close(found, expected)
    kept = queue.features[5:]
    assert kept.shape == (2 * 3, 6)
    places = answer["key"].detach().flatten(2)
    for index, feature in enumerate(kept):
        assert (places[index // 3].T - feature).norm(dim=1).min() < 1e-6
    found.backward()
    assert answer["key"].grad is None


def test_regions_go_to_the_region_loss() -> None:
    answer, target = _dense()
    contrast = RegionContrastiveLoss(regions=4, samples=4, exclude_touching=False)
    torch.manual_seed(3)
    found = RegionMomentumContrast(contrast)(answer, target)
    torch.manual_seed(3)
    torch.testing.assert_close(
        found, contrast(answer["query"], answer["key"].detach(), target["regions"], target["key_regions"])
    )
    found.backward()
    assert answer["key"].grad is None


def test_sum_is_weighted() -> None:
    found = SummedLoss([nn.L1Loss(), nn.MSELoss()], [2.0, 0.5])(torch.tensor([3.0]), torch.tensor([1.0]))
    assert found.item() == pytest.approx(2 * 2 + 0.5 * 4)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_refuses_weights_that_do_not_fit(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="2 terms"):
        SummedLoss([nn.L1Loss(), nn.MSELoss()], weights)
