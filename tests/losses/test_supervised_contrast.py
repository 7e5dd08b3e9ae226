"""Supervised contrast: numbers by hand, a loop over every pair, MONAI's loss as a special case, what a queue may do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.losses import ContrastiveLoss
from torch import Tensor

from s3net_monai.losses import SupervisedContrastiveLoss


def draw(count: int, channels: int = 5, seed: int = 0) -> Tensor:
    return 3 * torch.randn(count, channels, generator=torch.Generator().manual_seed(seed))


def classes(count: int, number: int, seed: int = 1) -> Tensor:
    return torch.randint(0, number, (count,), generator=torch.Generator().manual_seed(seed))


def slow_loss(
    features: Tensor, target: Tensor, temperature: float, queue: Tensor | None, queue_classes: Tensor | None
) -> float:
    rows = [np.asarray(row, dtype=float) for row in features]
    names = target.tolist()
    anchors = len(rows)
    if queue is not None and queue_classes is not None:
        for row, name in zip(queue, queue_classes.tolist(), strict=True):
            rows.append(np.asarray(row, dtype=float))
            names.append(name)
    rows = [row / np.linalg.norm(row) for row in rows]
    terms = []
    for i in range(anchors):
        others = [a for a in range(len(rows)) if a != i]
        positives = [p for p in others if names[p] == names[i]]
        if positives:
            total = sum(math.exp(rows[i] @ rows[a] / temperature) for a in others)
            shares = [math.exp(rows[i] @ rows[p] / temperature) / total for p in positives]
            terms.append(-sum(math.log(share) for share in shares) / len(positives))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("count", [2, 7, 12])
@pytest.mark.parametrize("number", [1, 3, 30])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("queued", [None, 0, 6])
def test_equals_the_loop(count: int, number: int, temperature: float, queued: int | None) -> None:
    features, target = draw(count), classes(count, number)
    queue = None if queued is None else draw(queued, seed=2)
    queue_classes = None if queued is None else classes(queued, number, seed=3)
    found = SupervisedContrastiveLoss(temperature)(features, target, queue, queue_classes)
    assert found.item() == pytest.approx(slow_loss(features, target, temperature, queue, queue_classes), rel=1e-4)


def test_value_by_hand() -> None:
    """Two of a class, alike, and one of another at a right angle: log(1 + exp(-1 / t)) for both, the third left out."""
    features = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    loss = SupervisedContrastiveLoss(temperature=0.5)(features, torch.tensor([4, 4, 1]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize("count", [4, 40])
def test_features_without_information_cost_the_log_of_the_others(count: int) -> None:
    loss = SupervisedContrastiveLoss()(torch.ones(count, 3), torch.arange(count) % 2)
    assert loss.item() == pytest.approx(math.log(count - 1), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_two_views_as_their_own_class_are_the_loss_of_monai(temperature: float) -> None:
    first, second = draw(6), draw(6, seed=9)
    expected = ContrastiveLoss(temperature)(first, second)
    found = SupervisedContrastiveLoss(temperature)(torch.cat([first, second]), torch.arange(6).repeat(2))
    torch.testing.assert_close(found, expected)


def test_a_queue_lends_a_positive_and_is_not_taught() -> None:
    """One sample of a class in the batch, another in the queue: the sample is taught, the queue is not."""
    features = draw(3).requires_grad_()
    queue = draw(2, seed=4).requires_grad_()
    alone = SupervisedContrastiveLoss()(features, torch.arange(3))
    assert alone.item() == 0
    SupervisedContrastiveLoss()(features, torch.arange(3), queue, torch.tensor([1, 7])).backward()
    assert queue.grad is None
    taught = features.grad.abs().sum(dim=1) > 0
    assert taught.all()  # sample 1 as the anchor, 0 and 2 as its negatives


@pytest.mark.parametrize(("count", "target"), [(1, [0]), (3, [0, 1, 2]), (0, [])])
def test_no_positive_gives_zero_with_a_graph(count: int, target: list[int]) -> None:
    features = draw(count).requires_grad_()
    loss = SupervisedContrastiveLoss()(features, torch.tensor(target, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_gradient_is_the_slope() -> None:
    """Along a random direction."""
    features, target, way = draw(12).requires_grad_(), classes(12, 3), draw(12, seed=7)
    queue = draw(6, seed=2), classes(6, 3, seed=3)
    loss = SupervisedContrastiveLoss(0.5)
    loss(features, target, *queue).backward()
    with torch.no_grad():
        change = loss(features + 0.01 * way, target, *queue) - loss(features - 0.01 * way, target, *queue)
    assert (features.grad * way).sum().item() == pytest.approx(change.item() / 0.02, rel=0.02)


def test_half_precision_is_computed_in_float32() -> None:
    features, target = draw(12).bfloat16(), classes(12, 3)
    expected = SupervisedContrastiveLoss(0.07)(features.float(), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = SupervisedContrastiveLoss(0.07)(features, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((draw(4), classes(3, 2)), "features"),
        ((draw(4)[None], classes(4, 2)), "features"),
        ((draw(4), classes(4, 2), draw(3)), "give both or neither"),
        ((draw(4), classes(4, 2), draw(3), classes(2, 2)), "queue"),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SupervisedContrastiveLoss()(*arguments)


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        SupervisedContrastiveLoss(temperature=0)
