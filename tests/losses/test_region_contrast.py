"""Region contrast: values by hand, a loop over pairs, and the regions that are negatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from s3net_monai.losses import RegionContrastiveLoss
from s3net_monai.losses.region_sampling import resize_regions, sample_pixels, sample_shared_regions, touching
from tests.helpers.tensors import check_gradient, draw


def blocks(size: tuple[int, ...], edge: int) -> Tensor:
    """Region map of cubes of ``edge`` voxels, numbered from 1, (1, 1, X, Y[, Z])."""
    number = torch.zeros(size, dtype=torch.long)
    for axis, length in enumerate(size):
        shape = [1] * len(size)
        shape[axis] = length
        number = number * 50 + (torch.arange(length) // edge).reshape(shape)
    return (number.unique(return_inverse=True)[1] + 1)[None, None]


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))


def loop_loss(
    loss: RegionContrastiveLoss, first: Tensor, second: Tensor, *, regions: Tensor, target_regions: Tensor
) -> float:
    """The formula in loops over the pixels that the same seed samples."""
    per_region = []
    for b in range(len(first)):
        small = resize_regions(regions, first.shape[2:])[b, 0]
        target_small = resize_regions(target_regions, second.shape[2:])[b, 0]
        ids = sample_shared_regions(small, target_small, loss.regions)
        pixels = sample_pixels(small, ids, loss.samples)
        target_pixels = sample_pixels(target_small, ids, loss.samples)
        anchors = [[first[b].flatten(1)[:, index] for index in row] for row in pixels.tolist()]
        keys = [[second[b].flatten(1)[:, index] for index in row] for row in target_pixels.tolist()]
        touch = touching(regions[b, 0].long(), ids) | touching(target_regions[b, 0].long(), ids)
        means = [sum(z / z.norm() for z in anchors[r] + keys[r]) for r in range(len(ids))]
        for r in range(len(ids)):
            negative_ids = [s for s in range(len(ids)) if s != r and not (loss.exclude_touching and touch[r, s])]
            if loss.max_similarity is not None:
                negative_ids = [
                    s for s in negative_ids if cosine(means[r], means[s]) <= loss.max_similarity
                ] or negative_ids
            if not negative_ids:
                continue
            pairs = []
            for anchor in anchors[r]:
                negative = sum(
                    math.exp(cosine(anchor, key) / loss.temperature) for s in negative_ids for key in keys[s]
                )
                for key in keys[r]:
                    positive = math.exp(cosine(anchor, key) / loss.temperature)
                    pairs.append(-math.log(positive / (positive + negative)))
            per_region.append(np.mean(pairs))
    return float(np.mean(per_region)) if per_region else 0.0


@pytest.mark.parametrize(("size", "edge"), [((8, 10), 2), ((6, 6, 4), 2), ((7, 5), 3)])
@pytest.mark.parametrize(("regions", "samples"), [(4, 3), (40, 1)])
@pytest.mark.parametrize("temperature", [0.1, 0.7])
@pytest.mark.parametrize("exclude_touching", [True, False])
@pytest.mark.parametrize("max_similarity", [None, 0.2])
def test_equals_the_loop(
    size: tuple[int, ...],
    edge: int,
    regions: int,
    samples: int,
    temperature: float,
    exclude_touching: bool,
    max_similarity: float | None,
) -> None:
    loss = RegionContrastiveLoss(
        temperature,
        regions=regions,
        samples=samples,
        exclude_touching=exclude_touching,
        max_similarity=max_similarity,
    )
    first, second = draw(2, 4, *size), draw(2, 4, *size, seed=1)
    first_regions = torch.cat([blocks(size, edge), blocks(size, edge + 1)])
    second_regions = first_regions.flip(2)
    first_regions[:, :, 0, 0] = 0
    region_maps = {"regions": first_regions, "target_regions": second_regions}
    torch.manual_seed(3)
    value = loss(first, second, **region_maps)
    torch.manual_seed(3)
    assert value.item() == pytest.approx(loop_loss(loss, first, second, **region_maps), rel=1e-4)


@pytest.mark.parametrize("size", [(8, 8), (4, 6, 8)])
@pytest.mark.parametrize("exclude_touching", [True, False])
def test_region_maps_finer_than_the_features(size: tuple[int, ...], exclude_touching: bool) -> None:
    """Features at half the size, one view even coarser; region maps at full size decide which regions touch."""
    loss = RegionContrastiveLoss(regions=6, samples=2, exclude_touching=exclude_touching)
    first = draw(1, 4, *(length // 2 for length in size))
    second = draw(1, 4, *(math.ceil(length / 3) for length in size), seed=1)
    regions = blocks(size, 2)
    torch.manual_seed(3)
    value = loss(first, second, regions=regions.float(), target_regions=regions)
    torch.manual_seed(3)
    expected = loop_loss(loss, first, second, regions=regions, target_regions=regions)
    assert value.item() == pytest.approx(expected, rel=1e-4)


def row(*numbers: int) -> Tensor:
    return torch.tensor(numbers)[None, None, None]


def same_regions(regions: Tensor) -> dict[str, Tensor]:
    """Arguments of the loss for two views with the same region map."""
    return {"regions": regions, "target_regions": regions}


def test_value_by_hand() -> None:
    """Two regions, one feature each at a right angle: log(1 + K exp(-1 / t)) for K pixels of the other region."""
    regions = row(1, 1, 0, 2, 2)
    features = torch.tensor([[3.0, 3.0, 5.0, 0.0, 0.0], [0.0, 0.0, 5.0, 1.0, 1.0]])[None, :, None]
    loss = RegionContrastiveLoss(temperature=0.5, samples=3)(features, features, **same_regions(regions))
    assert loss.item() == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize(("regions", "samples"), [(2, 8), (9, 5)])
def test_uninformative_features_cost_the_log_of_the_negatives(regions: int, samples: int) -> None:
    flat, numbers = torch.ones(1, 3, 6, 6), blocks((6, 6), 2)
    loss = RegionContrastiveLoss(regions=regions, samples=samples, exclude_touching=False)
    assert loss(flat, flat, **same_regions(numbers)).item() == pytest.approx(
        math.log(1 + (regions - 1) * samples), rel=1e-4
    )


def test_regions_that_touch_are_not_negatives() -> None:
    """1 and 2 touch and have the same features, 3 is separate: only their similarity to 3 costs."""
    regions = row(1, 1, 2, 2, 0, 3, 3)
    features = torch.tensor([[1.0] * 4 + [0.0] * 3, [0.0] * 5 + [1.0] * 2])[None, :, None]
    excluded = RegionContrastiveLoss(temperature=0.5, samples=2)(features, features, **same_regions(regions))
    one_negative, two_negatives = math.log(1 + 2 * math.exp(-2)), math.log(1 + 4 * math.exp(-2))
    assert excluded.item() == pytest.approx((2 * one_negative + two_negatives) / 3, rel=1e-5)
    included = RegionContrastiveLoss(temperature=0.5, samples=2, exclude_touching=False)
    assert included(features, features, **same_regions(regions)).item() > excluded.item() + 0.5


def test_regions_that_touch_in_one_view_are_not_negatives() -> None:
    flat = torch.ones(1, 2, 1, 5, requires_grad=True)
    separate, adjacent = row(1, 1, 0, 2, 2), row(0, 1, 2, 0, 0)
    loss = RegionContrastiveLoss()
    assert loss(flat, flat, **same_regions(separate)).item() == pytest.approx(math.log(9), rel=1e-5)
    for first, second in ((separate, adjacent), (adjacent, separate)):
        assert loss(flat, flat, regions=first, target_regions=second).item() == 0


def test_adjacency_is_that_of_the_maps_at_full_size() -> None:
    """At half the size the voxel between 1 and 2 is lost, but they are still negatives."""
    regions, flat = row(1, 1, 0, 2), torch.ones(1, 2, 1, 2)
    assert resize_regions(regions, (1, 2))[0, 0].tolist() == [[1, 2]]
    loss = RegionContrastiveLoss(samples=5)(flat, flat, **same_regions(regions))
    assert loss.item() == pytest.approx(math.log(6), rel=1e-5)


def test_similar_regions_are_not_negatives() -> None:
    """1 and 3 have the same features, 5 others; a limit of 0.9 excludes 1 and 3 from each other's negatives."""
    regions = row(1, 0, 3, 0, 5)
    features = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]])[None, :, None]
    loss = RegionContrastiveLoss(temperature=0.5, samples=1, max_similarity=0.9)(
        features, features, **same_regions(regions)
    )
    one_negative, two_negatives = math.log(1 + math.exp(-2)), math.log(1 + 2 * math.exp(-2))
    assert loss.item() == pytest.approx((2 * one_negative + two_negatives) / 3, rel=1e-5)


def test_collapsed_features_keep_their_negatives() -> None:
    flat, numbers = torch.ones(1, 3, 6, 6), blocks((6, 6), 2)
    loss = RegionContrastiveLoss(regions=9, samples=2, exclude_touching=False, max_similarity=0.5)
    assert loss(flat, flat, **same_regions(numbers)).item() == pytest.approx(math.log(1 + 16), rel=1e-4)


@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
def test_gradient_reaches_pixels_of_shared_regions_only(size: tuple[int, ...]) -> None:
    """Pixels of no region, and of a region that the other view does not show, get no gradient."""
    regions = blocks(size, 2)
    missing = regions == 3
    other_regions = torch.where(missing, 0, regions)
    regions[:, :, 0] = 0
    first, second = draw(1, 4, *size).requires_grad_(), draw(1, 4, *size, seed=1).requires_grad_()
    torch.manual_seed(0)
    region_maps = {"regions": regions, "target_regions": other_regions}
    RegionContrastiveLoss(regions=40, samples=200)(first, second, **region_maps).backward()
    has_gradient = first.grad.abs().sum(dim=1, keepdim=True) > 0
    assert torch.equal(has_gradient, (regions > 0) & ~missing)
    assert second.grad.abs().sum() > 0
    first.grad = None
    RegionContrastiveLoss(regions=40)(first, second.detach(), **region_maps).backward()
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
def test_gradient_of_both_views(size: tuple[int, ...]) -> None:
    loss, numbers = RegionContrastiveLoss(0.5, samples=4), blocks(size, 2).repeat(2, *[1] * (len(size) + 1))

    def value(first: Tensor, second: Tensor) -> Tensor:
        torch.manual_seed(1)
        return loss(first, second, **same_regions(numbers))

    check_gradient(value, draw(2, 4, *size), draw(2, 4, *size, seed=1))


@pytest.mark.parametrize("regions", [row(0, 0, 0, 0), row(4, 4, 4, 4), row(4, 4, 5, 5)])
def test_no_negative_costs_zero_with_a_graph(regions: Tensor) -> None:
    features = draw(1, 3, 1, 4).requires_grad_()
    loss = RegionContrastiveLoss()(features, features.detach(), **same_regions(regions))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_an_image_without_regions_does_not_count() -> None:
    features, numbers = draw(2, 4, 6, 6), blocks((6, 6), 2).repeat(2, 1, 1, 1)
    numbers[1] = 0
    loss = RegionContrastiveLoss(regions=3)
    torch.manual_seed(1)
    value = loss(features, features, **same_regions(numbers))
    torch.manual_seed(1)
    torch.testing.assert_close(value, loss(features[:1], features[:1], **same_regions(numbers[:1])))


def test_half_precision_is_computed_in_float32() -> None:
    features, numbers = draw(1, 16, 8, 8).bfloat16(), blocks((8, 8), 2)
    loss = RegionContrastiveLoss(0.07, max_similarity=0.3)
    torch.manual_seed(1)
    expected = loss(features.float(), features.float(), **same_regions(numbers))
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(features, features, **same_regions(numbers))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4, 4), (2, 5, 4, 4), (2, 1, 4, 4), (2, 1, 4, 4)),
        ((2, 3, 4, 4), (2, 3, 4, 4), (1, 1, 4, 4), (2, 1, 4, 4)),
    ],
)
def test_shapes_that_do_not_match_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    first, second, regions, target_regions = (torch.ones(shape) for shape in shapes)
    with pytest.raises(ValueError, match="do not match"):
        RegionContrastiveLoss()(first, second, regions=regions, target_regions=target_regions)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"regions": 1}, {"samples": 0}, {"max_similarity": 1.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        RegionContrastiveLoss(**settings)
