"""Contrast of objects with a queue: its content, its effect, and evaluation."""

from __future__ import annotations

import math

import pytest
import torch

from s3net_monai.losses import SemanticContrastiveLoss, SupervisedContrastiveLoss
from s3net_monai.networks import FeatureQueue


def embeddings(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def test_without_a_queue_it_is_supervised_contrast() -> None:
    features, classes = embeddings(6), torch.tensor([1, 2, 3, 1, 2, 3])
    expected = SupervisedContrastiveLoss(0.2)(features, classes)
    assert torch.equal(SemanticContrastiveLoss(temperature=0.2)(features, classes), expected)


def test_every_batch_is_contrasted_with_the_queue_and_stored() -> None:
    loss = SemanticContrastiveLoss(FeatureQueue(5, 3, labeled=True), temperature=0.2)
    past_batches: list[tuple[torch.Tensor, torch.Tensor]] = []
    for seed in range(4):
        features, classes = embeddings(2, seed), torch.tensor([1, 2])
        value = loss(features, classes)
        queue, queue_classes = torch.zeros(0, 3), classes[:0]
        if past_batches:
            queue, queue_classes = (torch.cat(parts)[-5:] for parts in zip(*past_batches, strict=True))
        contrast = SupervisedContrastiveLoss(0.2)
        expected = contrast(features, classes, queue=queue, queue_classes=queue_classes)
        torch.testing.assert_close(value, expected)
        past_batches.append((features, classes))
    assert loss.queue is not None
    assert len(loss.queue.features) == 5
    assert sorted(loss.queue.labels.tolist()) == [1, 1, 2, 2, 2]


def test_a_single_sample_is_contrasted_with_the_queue() -> None:
    """By hand: one positive and one negative in the queue, at cosines 1 and 0."""
    loss = SemanticContrastiveLoss(FeatureQueue(8, 2, labeled=True), temperature=1.0)
    loss(torch.eye(2), torch.tensor([1, 2]))
    sample = torch.tensor([[3.0, 0.0]], requires_grad=True)
    value = loss(sample, torch.tensor([1]))
    assert value.item() == pytest.approx(-math.log(math.e / (math.e + 1)))
    value.backward()
    assert sample.grad is not None
    assert sample.grad.any()


def test_evaluation_does_not_fill_the_queue() -> None:
    queue = FeatureQueue(8, 3, labeled=True)
    loss = SemanticContrastiveLoss(queue).eval()
    loss(embeddings(4), torch.tensor([1, 1, 2, 2]))
    assert len(queue.features) == 0
    loss.train()(embeddings(4), torch.tensor([1, 1, 2, 2]))
    assert len(queue.features) == 4
    assert not queue.features.requires_grad


def test_state_dict_has_the_queue() -> None:
    first, second = (SemanticContrastiveLoss(FeatureQueue(8, 3, labeled=True)) for _ in range(2))
    first(embeddings(4), torch.tensor([1, 1, 2, 2]))
    second.load_state_dict(first.state_dict())
    arguments = embeddings(2, seed=1), torch.tensor([1, 2])
    assert torch.equal(first.eval()(*arguments), second.eval()(*arguments))


def test_half_precision_embeddings() -> None:
    loss = SemanticContrastiveLoss(FeatureQueue(8, 3, labeled=True))
    classes = torch.tensor([1, 1, 2, 2])
    for _ in range(2):
        assert loss(embeddings(4).half(), classes).isfinite()
