"""Tests of the agreement of views."""

from __future__ import annotations

import pytest
import torch

from s3net_monai.engines.agreement import view_agreement


def test_equal_views_agree_fully() -> None:
    mask = torch.tensor([0, 1, 1, 2])
    assert view_agreement([mask, mask.clone()], mask, 3) == 1.0


def test_value_by_hand() -> None:
    consensus = torch.tensor([1, 1, 0, 0])
    views = [torch.tensor([1, 1, 0, 0]), torch.tensor([1, 0, 0, 0])]
    assert view_agreement(views, consensus, 2) == pytest.approx((1 + 2 / 3) / 2)


def test_empty_views_agree_and_disjoint_views_do_not() -> None:
    empty, full = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert view_agreement([empty, empty], empty, 2) == 1.0
    assert view_agreement([full, full], empty, 2) == 0.0


def test_a_single_view_has_no_agreement() -> None:
    assert view_agreement([torch.ones(4)], torch.ones(4), 2) is None
