"""Losses between the features of a network and those of its momentum copy."""

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
from tests.helpers.tensors import identity_grid


def _unit(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape), dim=1)


def _info_nce(query: Tensor, key: Tensor, *, queue: Tensor, temperature: float) -> float:
    """The formula in loops over the images; negatives are other images' keys and queries, and the queue."""
    losses = []
    for i in range(len(query)):
        positive = math.exp(float(query[i] @ key[i]) / temperature)
        other_images = [query[j] for j in range(len(query)) if j != i] + [key[j] for j in range(len(key)) if j != i]
        negative = sum(math.exp(float(query[i] @ other) / temperature) for other in [*other_images, *queue])
        losses.append(-math.log(positive / (positive + negative)))
    return sum(losses) / len(losses)


def test_global_equals_the_loop_and_fills_the_queue() -> None:
    queue, (query, key, queued) = FeatureQueue(16, 5), (_unit(count, 5) for count in (4, 4, 6))
    queue.push(queued)
    loss = GlobalMomentumContrast(queue, temperature=0.2)
    value = loss({"query": query.requires_grad_(), "key": key.requires_grad_()}, {})
    expected = _info_nce(query.detach(), key.detach(), queue=queued, temperature=0.2)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(queue.features[6:], key.detach())
    value.backward()
    assert query.grad is not None
    assert query.grad.abs().sum() > 0
    assert key.grad is None


def test_global_embeddings_may_be_one_part_of_several() -> None:
    queue, query, key = FeatureQueue(16, 5), _unit(3, 5), _unit(3, 5)
    loss = GlobalMomentumContrast(queue).eval()
    expected = loss({"query": query, "key": key}, {})
    value = loss({"query": {"global": query, "dense": 0}, "key": {"global": key, "dense": 0}}, {})
    torch.testing.assert_close(value, expected)
    assert len(queue.features) == 0  # evaluation does not fill the queue


def _dense_features() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    grid = identity_grid(2, 8, 8)
    regions = torch.arange(1, 5).repeat_interleave(2).repeat_interleave(8).reshape(1, 1, 8, 8).repeat(2, 1, 1, 1)
    target = {"grid": grid, "valid": torch.ones(2, 1, 8, 8), "regions": regions, "key_regions": regions}
    return {"query": _unit(2, 6, 4, 4).requires_grad_(), "key": _unit(2, 6, 4, 4).requires_grad_()}, target


def test_dense_adds_the_queue_to_the_negatives() -> None:
    features, target = _dense_features()
    contrast, queue, queued = DenseContrastiveLoss(samples=16), FeatureQueue(32, 6), _unit(5, 6)
    queue.push(queued)
    loss = DenseMomentumContrast(contrast, queue, queued_locations=3)
    value = loss(features, target)
    expected = contrast(features["query"], features["key"], grid=target["grid"], valid=target["valid"], queue=queued)
    torch.testing.assert_close(value, expected)
    added = queue.features[5:]
    assert added.shape == (2 * 3, 6)
    locations = features["key"].detach().flatten(2)
    for index, feature in enumerate(added):
        assert (locations[index // 3].T - feature).norm(dim=1).min() < 1e-6
    value.backward()
    assert features["key"].grad is None


def test_region_maps_are_passed_to_the_region_loss() -> None:
    features, target = _dense_features()
    contrast = RegionContrastiveLoss(regions=4, samples=4, exclude_touching=False)
    torch.manual_seed(3)
    value = RegionMomentumContrast(contrast)(features, target)
    torch.manual_seed(3)
    regions = {"regions": target["regions"], "target_regions": target["key_regions"]}
    torch.testing.assert_close(value, contrast(features["query"], features["key"].detach(), **regions))
    value.backward()
    assert features["key"].grad is None


def test_sum_is_weighted() -> None:
    value = SummedLoss([nn.L1Loss(), nn.MSELoss()], [2.0, 0.5])(torch.tensor([3.0]), torch.tensor([1.0]))
    assert value.item() == pytest.approx(2 * 2 + 0.5 * 4)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="2 terms"):
        SummedLoss([nn.L1Loss(), nn.MSELoss()], weights)
