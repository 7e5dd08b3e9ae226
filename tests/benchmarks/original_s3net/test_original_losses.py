"""The authors' loss: equivalent formulas, and terms without a gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from benchmarks.original_s3net.losses import OriginalAffineLoss, OriginalLoss, OriginalSpatialLoss
from s3net_monai.losses import LabelFreeLoss, WeightedTerm


def heads() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    main, auxiliary = (torch.randn(2, 4, 6, 5, generator=generator, requires_grad=True) for _ in range(2))
    return main, auxiliary


def test_affine_term_is_cross_entropy_of_the_auxiliary_head() -> None:
    main, auxiliary = heads()
    loss = OriginalAffineLoss()(main, auxiliary)
    torch.testing.assert_close(loss, F.cross_entropy(auxiliary, main.argmax(dim=1)))
    loss.backward()
    assert main.grad is None
    assert auxiliary.grad is not None


def test_spatial_term_is_zero_on_one_color_and_has_no_gradient() -> None:
    main, _ = heads()
    loss = OriginalSpatialLoss()
    assert loss(main) > 0
    assert not loss(main).requires_grad
    assert loss(torch.ones(1, 4, 6, 5)) == 0


def test_spatial_term_of_a_straight_edge() -> None:
    """Columns 0-1 of one color, 2-3 of another: Sx is 4 |c1 - c0| on the two columns at the edge, Sy and Sxy are 0."""
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1, 2:] = 5
    loss = OriginalSpatialLoss()
    step = (loss.palette[1] - loss.palette[0]).abs().mean()
    torch.testing.assert_close(loss(logits), 2 * (4 * step) * 2 / 4)


def test_spatial_term_does_not_use_the_global_generator() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    OriginalSpatialLoss()(heads()[0])
    assert torch.equal(torch.rand(2), expected)


def test_weights_of_the_sum() -> None:
    main, auxiliary = heads()
    clustering = F.cross_entropy(main, main.argmax(dim=1))
    expected = 3.5 * clustering + 0.2 * OriginalAffineLoss()(main, auxiliary) + 4 * OriginalSpatialLoss()(main)
    torch.testing.assert_close(OriginalLoss()(main, auxiliary), expected)


TERMS = {
    "original_affine": WeightedTerm(OriginalAffineLoss(), ("first", "first_auxiliary"), 0.2),
    "original_spatial": WeightedTerm(OriginalSpatialLoss(), ("main",), 4.0),
}


@pytest.mark.parametrize("name", sorted(TERMS))
def test_term_of_the_label_free_loss(name: str) -> None:
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, 1, 6, 5], align_corners=False)
    views = {"image": torch.rand(2, 3, 6, 5), "grid": grid}
    loss = LabelFreeLoss({name: TERMS[name]})
    assert set(loss.values(heads(), views)) == {name}
    assert loss(heads(), views).isfinite()
