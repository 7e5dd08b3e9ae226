"""The sum of the terms: computed terms, their inputs, and the heads that they train."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.losses import (
    AffineConsistencyLoss,
    ClusterBalanceLoss,
    EdgeAwareTotalVariationLoss,
    LabelFreeLoss,
    SelfClusteringLoss,
    SpatialConsistencyLoss,
    WeakLabelLoss,
    WeightedTerm,
)
from s3net_monai.losses.affine_consistency import in_bounds_mask, warp
from tests.helpers.s3net_terms import terms

TERMS = ("self_clustering", "affine", "auxiliary", "spatial", "total_variation", "balance", "weak_label")
CLUSTER_CLASS = torch.tensor([0, 1, 1, 2])  # two foreground classes


def assignment_matrix() -> Tensor:
    return F.one_hot(CLUSTER_CLASS, 3).float()


def make_batch(size: tuple[int, ...]) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """Two images in two views each, grids that reach beyond the border, weak labels of three labeling functions."""
    generator, dims = torch.Generator().manual_seed(8), len(size)
    main, auxiliary = (torch.randn(4, 4, *size, generator=generator).requires_grad_() for _ in range(2))
    theta = 0.9 * torch.eye(dims, dims + 1) + 0.2 * torch.randn(2, dims, dims + 1, generator=generator)
    views = {
        "image": torch.rand(4, 1, *size, generator=generator),
        "grid": F.affine_grid(theta, [2, 1, *size], align_corners=False),
        "weak_label": torch.randint(0, 4, (2, 1, *size), generator=generator) / 3,
    }
    return (main, auxiliary), views


def term_values(heads: tuple[Tensor, Tensor], views: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every term, written out on its own."""
    main, auxiliary = heads
    grid, weak_label = views["grid"], views["weak_label"]
    foreground = torch.softmax(main, 1)[:, 1:].sum(dim=1, keepdim=True)
    covered = in_bounds_mask(grid)
    return {
        "self_clustering": SelfClusteringLoss()(main),
        "affine": AffineConsistencyLoss()(main[:2], main[2:], grid),
        "auxiliary": AffineConsistencyLoss()(main[:2], auxiliary[2:], grid),
        "spatial": SpatialConsistencyLoss()(main),
        "total_variation": EdgeAwareTotalVariationLoss()(main, views["image"]),
        "balance": ClusterBalanceLoss()(main),
        "weak_label": WeakLabelLoss()(
            torch.logit(foreground),
            torch.cat([weak_label, warp(weak_label, grid)]),
            torch.cat([torch.ones_like(covered), covered]),
        ),
    }


@pytest.mark.parametrize("size", [(6, 7), (5, 4, 3)])
def test_weighted_sum_of_the_terms(size: tuple[int, ...]) -> None:
    heads, views = make_batch(size)
    weights = {name: 0.3 + 0.2 * i for i, name in enumerate(TERMS)}
    expected = sum(weights[name] * value for name, value in term_values(heads, views).items())
    torch.testing.assert_close(LabelFreeLoss(terms(**weights), assignment_matrix)(heads, views), expected)


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("size", [(6, 7), (5, 4, 3)])
def test_every_term_on_its_own(name: str, size: tuple[int, ...]) -> None:
    heads, views = make_batch(size)
    loss = LabelFreeLoss(terms(**{name: 2.0}), assignment_matrix)
    values = loss.values(heads, views)
    assert list(values) == [name]
    torch.testing.assert_close(values[name], term_values(heads, views)[name])
    torch.testing.assert_close(loss(heads, views), 2 * values[name])


class Forbidden(nn.Module):
    def forward(self, *_: Tensor) -> Tensor:
        raise AssertionError("a term of weight 0 was computed")


@pytest.mark.parametrize("name", TERMS)
def test_a_term_of_weight_zero_is_not_computed(name: str) -> None:
    heads, views = make_batch((6, 7))
    weighted_terms = terms(**{term: 0.0 if term == name else 1.0 for term in TERMS})
    weighted_terms[name].loss = Forbidden()
    assert set(LabelFreeLoss(weighted_terms, assignment_matrix).values(heads, views)) == set(TERMS) - {name}


def test_s3net_terms_need_neither_weak_label_nor_assignment() -> None:
    def forbidden() -> Tensor:
        raise AssertionError("the assignment was requested")

    heads, views = make_batch((6, 7))
    del views["weak_label"]
    assert LabelFreeLoss(terms(affine=1.0, balance=1.0), forbidden)(heads, views).isfinite()


@pytest.mark.parametrize("size", [(6, 7), (5, 4, 3)])
@pytest.mark.parametrize("name", TERMS)
def test_heads_and_views_that_a_term_trains(name: str, size: tuple[int, ...]) -> None:
    """All terms train the main head in both views, except the auxiliary one: its own head, in the second view."""
    (main, auxiliary), views = make_batch(size)
    LabelFreeLoss(terms(**{name: 1.0}), assignment_matrix)((main, auxiliary), views).backward()
    has_gradient = {
        key: [bool(gradient.abs().sum() > 0) for gradient in head.grad] if head.grad is not None else [False] * 4
        for key, head in (("main", main), ("auxiliary", auxiliary))
    }
    if name == "auxiliary":
        assert has_gradient == {"main": [False] * 4, "auxiliary": [False, False, True, True]}
    else:
        assert has_gradient == {"main": [True] * 4, "auxiliary": [False] * 4}


def test_half_precision_logits_are_summed_in_float32() -> None:
    heads, views = make_batch((6, 7))
    loss = LabelFreeLoss(terms(weak_label=1.0), assignment_matrix)
    value = loss((heads[0].half(), heads[1].half()), views)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(heads, views), rtol=1e-2, atol=1e-2)


def test_impossible_weights_and_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weight is -1.0, expected at least 0"):
        terms(affine=-1.0)
    with pytest.raises(ValueError, match="expected a weight above 0"):
        LabelFreeLoss(terms(**dict.fromkeys(TERMS, 0.0)), assignment_matrix)
    with pytest.raises(ValueError, match=r"input 'logits' is not known, expected main, first"):
        WeightedTerm(SelfClusteringLoss(), ["logits"])


def test_a_term_on_the_foreground_needs_an_assignment() -> None:
    LabelFreeLoss(terms(weak_label=0.0, affine=1.0))
    with pytest.raises(ValueError, match=r"term weak_label needs assignment_matrix, found None; .* its weight to 0"):
        LabelFreeLoss(terms(weak_label=0.5))


def test_a_missing_weak_label_is_refused() -> None:
    heads, views = make_batch((6, 7))
    del views["weak_label"]
    with pytest.raises(ValueError, match="add WeakLabeld"):
        LabelFreeLoss(terms(weak_label=1.0), assignment_matrix)(heads, views)


def test_a_new_assignment_is_followed() -> None:
    matrices = [assignment_matrix()]
    heads, views = make_batch((6, 7))
    loss = LabelFreeLoss(terms(weak_label=1.0), lambda: matrices[-1])
    before = loss(heads, views)
    matrices.append(assignment_matrix().flip(0))
    assert not torch.isclose(loss(heads, views), before)


def test_builds_from_a_config_with_its_network() -> None:
    config: dict[str, Any] = {
        "classes": {
            "_target_": "s3net_monai.networks.ClusterToClass",
            "network": {"_target_": "s3net_monai.networks.S3Net", "channels": 4, "num_blocks": 1, "num_clusters": 4},
            "num_classes": 3,
        },
        "loss": {
            "_target_": "s3net_monai.losses.LabelFreeLoss",
            "assignment_matrix": "$@classes.assignment_matrix",
            "terms": {
                "weak_label": {
                    "_target_": "s3net_monai.losses.WeightedTerm",
                    "inputs": ["foreground", "weak_label", "weak_label_weight"],
                    "loss": {"_target_": "s3net_monai.losses.WeakLabelLoss"},
                },
                "affine": {
                    "_target_": "s3net_monai.losses.WeightedTerm",
                    "weight": 0.5,
                    "inputs": ["first", "second", "grid"],
                    "loss": {"_target_": "s3net_monai.losses.AffineConsistencyLoss"},
                },
            },
        },
    }
    parser = ConfigParser(config)
    loss, classes = parser.get_parsed_content("loss"), parser.get_parsed_content("classes")
    classes.set_assignment(CLUSTER_CLASS)
    heads, views = make_batch((6, 7))
    expected = LabelFreeLoss(terms(weak_label=1.0, affine=0.5), assignment_matrix)(heads, views)
    torch.testing.assert_close(loss(heads, views), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"_target_": "s3net_monai.losses.AffineConsistencyLoss"},
        {"_target_": "s3net_monai.losses.ClusterBalanceLoss"},
        {"_target_": "s3net_monai.losses.WeakLabelLoss"},
        {"_target_": "s3net_monai.losses.EdgeAwareTotalVariationLoss", "sigma": 0.2},
        {"_target_": "s3net_monai.losses.SelfClusteringLoss", "reduction": "sum"},
        {"_target_": "s3net_monai.losses.SpatialConsistencyLoss"},
    ],
)
def test_every_loss_builds_from_a_config(settings: dict[str, Any]) -> None:
    loss = ConfigParser({"loss": settings}).get_parsed_content("loss")
    assert type(loss).__name__ == settings["_target_"].rsplit(".", 1)[1]
    assert all(getattr(loss, name) == value for name, value in settings.items() if name != "_target_")
