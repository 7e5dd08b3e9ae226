"""The ramp-up of Laine and Aila: its values, its handler in a trainer, and a resumed training."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.handlers import CheckpointLoader, CheckpointSaver

from s3net_monai.engines import RampUpHandler
from s3net_monai.engines.ramp_up import sigmoid_ramp_up
from s3net_monai.losses import BidirectionalLoss


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
    assert sigmoid_ramp_up(step, length) == pytest.approx(expected, rel=1e-5)


def test_weight_only_rises() -> None:
    weights = torch.tensor([sigmoid_ramp_up(step, 30) for step in range(40)])
    assert (weights.diff()[:30] > 0).all()
    assert (weights[30:] == 1).all()


def make_trainer(loss: BidirectionalLoss, weights: list[float], iterations: int = 10) -> Engine:
    """A trainer without a network that notes the weight in every iteration."""
    trainer = Engine(lambda engine, batch: weights.append(loss.ramp_up_weight))
    RampUpHandler(loss, iterations).attach(trainer)
    return trainer


def test_handler_sets_the_weight_of_every_iteration() -> None:
    weights: list[float] = []
    make_trainer(BidirectionalLoss(), weights, iterations=4).run(range(3), max_epochs=2)
    assert weights == [sigmoid_ramp_up(step, 4) for step in range(6)]


def test_loss_multiplies_by_the_float32_weight() -> None:
    """The product of weight and ramp-up is rounded once, in float32, whatever the weight."""
    generator = torch.Generator().manual_seed(0)
    heads = tuple(torch.randn(2, 3, 4, 4, generator=generator) for _ in range(2))
    target = {"label": torch.zeros(2, 1, 4, 4), "labeled": torch.zeros(2, dtype=torch.bool)}
    loss = BidirectionalLoss(threshold=0.5, weight=0.7)
    unlabeled = loss.pseudo_label_loss(*heads) + loss.pseudo_label_loss(*heads[::-1])
    loss.ramp_up_weight = sigmoid_ramp_up(3, 7)
    ramp = torch.exp(-5 * (1 - torch.tensor(3).float() / 7) ** 2)
    assert torch.equal(loss(heads, target), 0.7 * ramp * unlabeled / 2)


def test_resumed_training_continues_the_ramp_up(tmp_path: Path) -> None:
    first_weights: list[float] = []
    first = make_trainer(BidirectionalLoss(), first_weights)
    CheckpointSaver(str(tmp_path), {"trainer": first}, save_final=True, final_filename="checkpoint.pt").attach(first)
    first.run(range(4), max_epochs=1)
    resumed_weights: list[float] = []
    resumed = make_trainer(BidirectionalLoss(), resumed_weights)
    CheckpointLoader(str(tmp_path / "checkpoint.pt"), {"trainer": resumed}).attach(resumed)
    resumed.run(range(4), max_epochs=2)
    assert first_weights + resumed_weights == [sigmoid_ramp_up(step, 10) for step in range(8)]


def test_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="iterations is -1, expected at least 0"):
        RampUpHandler(BidirectionalLoss(), iterations=-1)
