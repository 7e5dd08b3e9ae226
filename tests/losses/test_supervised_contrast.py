"""Supervised contrast: values by hand, a loop, MONAI's loss as a special case, the queue."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import ContrastiveLoss
from torch import Tensor

from s3net_monai.losses import SupervisedContrastiveLoss
from tests.helpers.tensors import check_gradient, draw


def features_of(count: int, seed: int = 0) -> Tensor:
    return 1.5 * draw(count, 5, seed=seed)


def classes(count: int, number: int, seed: int = 1) -> Tensor:
    return torch.randint(0, number, (count,), generator=torch.Generator().manual_seed(seed))


def loop_loss(
    features: Tensor, target: Tensor, *, temperature: float, queue: Tensor | None, queue_classes: Tensor | None
) -> float:
    rows = [np.asarray(row, dtype=float) for row in features]
    row_classes = target.tolist()
    anchors = len(rows)
    if queue is not None and queue_classes is not None:
        rows += [np.asarray(row, dtype=float) for row in queue]
        row_classes += queue_classes.tolist()
    rows = [row / np.linalg.norm(row) for row in rows]
    terms = []
    for i in range(anchors):
        other_samples = [a for a in range(len(rows)) if a != i]
        positives = [p for p in other_samples if row_classes[p] == row_classes[i]]
        if positives:
            total = sum(math.exp(rows[i] @ rows[a] / temperature) for a in other_samples)
            probabilities = [math.exp(rows[i] @ rows[p] / temperature) / total for p in positives]
            terms.append(-sum(math.log(probability) for probability in probabilities) / len(positives))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("count", [2, 7, 12])
@pytest.mark.parametrize("number", [1, 3, 30])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("queued", [None, 0, 6])
def test_equals_the_loop(count: int, number: int, temperature: float, queued: int | None) -> None:
    features, target = features_of(count), classes(count, number)
    queue: dict[str, Any] = {
        "queue": None if queued is None else features_of(queued, seed=2),
        "queue_classes": None if queued is None else classes(queued, number, seed=3),
    }
    value = SupervisedContrastiveLoss(temperature)(features, target, **queue)
    assert value.item() == pytest.approx(loop_loss(features, target, temperature=temperature, **queue), rel=1e-4)


def test_value_by_hand() -> None:
    """Two equal features of one class, one orthogonal of another: log(1 + exp(-1 / t)), the third is left out."""
    features = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    loss = SupervisedContrastiveLoss(temperature=0.5)(features, torch.tensor([4, 4, 1]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize("count", [4, 40])
def test_uninformative_features_cost_the_log_of_the_others(count: int) -> None:
    loss = SupervisedContrastiveLoss()(torch.ones(count, 3), torch.arange(count) % 2)
    assert loss.item() == pytest.approx(math.log(count - 1), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_one_class_per_image_is_the_loss_of_monai(temperature: float) -> None:
    first, second = features_of(6), features_of(6, seed=9)
    expected = ContrastiveLoss(temperature)(first, second)
    value = SupervisedContrastiveLoss(temperature)(torch.cat([first, second]), torch.arange(6).repeat(2))
    torch.testing.assert_close(value, expected)


def test_a_queue_adds_positives_and_gets_no_gradient() -> None:
    """One sample of a class is in the batch, another in the queue: only the former gets a gradient."""
    features = features_of(3).requires_grad_()
    queue = features_of(2, seed=4).requires_grad_()
    loss = SupervisedContrastiveLoss()
    assert loss(features, torch.arange(3)).item() == 0
    loss(features, torch.arange(3), queue=queue, queue_classes=torch.tensor([1, 7])).backward()
    assert queue.grad is None
    has_gradient = features.grad.abs().sum(dim=1) > 0
    assert has_gradient.all()  # sample 1 as the anchor, 0 and 2 as its negatives


@pytest.mark.parametrize(("count", "target"), [(1, [0]), (3, [0, 1, 2]), (0, [])])
def test_no_positive_costs_zero_with_a_graph(count: int, target: list[int]) -> None:
    features = features_of(count).requires_grad_()
    loss = SupervisedContrastiveLoss()(features, torch.tensor(target, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_gradient_of_the_features() -> None:
    target, queue = classes(12, 3), {"queue": features_of(6, seed=2), "queue_classes": classes(6, 3, seed=3)}
    loss = SupervisedContrastiveLoss(0.5)
    check_gradient(lambda features: loss(features, target, **queue), features_of(12))


def test_half_precision_is_computed_in_float32() -> None:
    features, target = features_of(12).bfloat16(), classes(12, 3)
    expected = SupervisedContrastiveLoss(0.07)(features.float(), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = SupervisedContrastiveLoss(0.07)(features, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": features_of(4), "target": classes(3, 2)}, "features"),
        ({"input": features_of(4)[None], "target": classes(4, 2)}, "features"),
        ({"input": features_of(4), "target": classes(4, 2), "queue": features_of(3)}, "give both or neither"),
        (
            {
                "input": features_of(4),
                "target": classes(4, 2),
                "queue": features_of(3),
                "queue_classes": classes(2, 2),
            },
            "queue",
        ),
    ],
)
def test_shapes_that_do_not_match_are_refused(arguments: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SupervisedContrastiveLoss()(**arguments)


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        SupervisedContrastiveLoss(temperature=0)
