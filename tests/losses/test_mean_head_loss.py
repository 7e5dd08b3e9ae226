"""Mean Dice and cross-entropy of two heads."""

from __future__ import annotations

import pytest
import torch

from s3net_monai.losses import MeanHeadDiceCELoss


def logits(label: torch.Tensor) -> torch.Tensor:
    """Logits that are certain of a label."""
    return torch.cat([20.0 * (1 - label), 20.0 * label], dim=1)


def test_each_head_counts_half() -> None:
    label = torch.zeros(1, 1, 4, 4)
    label[..., :2] = 1
    correct, wrong = logits(label), logits(1 - label)
    loss = MeanHeadDiceCELoss()
    assert float(loss((correct, correct), label)) == pytest.approx(0, abs=1e-4)
    maximum = float(loss((wrong, wrong), label))
    assert maximum == pytest.approx(1 + 20, abs=1e-3)  # no overlap, and a cross-entropy of 20 per pixel
    assert float(loss((correct, wrong), label)) == float(loss((wrong, correct), label)) == pytest.approx(maximum / 2)


def test_a_missed_small_structure_counts_as_much_as_a_large_one() -> None:
    label = torch.zeros(2, 1, 16, 16)
    label[0, :, :8] = 1
    label[1, :, 0, 0] = 1
    missed = torch.stack([label[0], torch.zeros(1, 16, 16)])
    dice = MeanHeadDiceCELoss().loss.dice(logits(missed), label)
    assert float(dice) == pytest.approx(0.5, abs=0.01)
