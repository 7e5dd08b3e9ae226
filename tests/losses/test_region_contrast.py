"""Region contrast: numbers by hand, a loop over every pair, which regions are negatives, and what must not count."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from s3net_monai.losses import RegionContrastiveLoss
from s3net_monai.losses.region_sampling import resize_regions, sample_pixels, shared_regions, touching


def draw(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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


def slow_loss(
    loss: RegionContrastiveLoss, first: Tensor, second: Tensor, regions: Tensor, target_regions: Tensor
) -> float:
    """The formula in loops over the pixels that the same seed draws."""
    per_region = []
    for b in range(len(first)):
        small = resize_regions(regions, first.shape[2:])[b, 0]
        target_small = resize_regions(target_regions, second.shape[2:])[b, 0]
        ids = shared_regions(small, target_small, loss.regions)
        a_places, b_places = sample_pixels(small, ids, loss.samples), sample_pixels(target_small, ids, loss.samples)
        a = [[first[b].flatten(1)[:, place] for place in row] for row in a_places.tolist()]
        k = [[second[b].flatten(1)[:, place] for place in row] for row in b_places.tolist()]
        near = touching(regions[b, 0].long(), ids) | touching(target_regions[b, 0].long(), ids)
        means = [sum(z / z.norm() for z in a[r] + k[r]) for r in range(len(ids))]
        for r in range(len(ids)):
            names = [s for s in range(len(ids)) if s != r and not (loss.exclude_touching and near[r, s])]
            if loss.max_similarity is not None:
                names = [s for s in names if cosine(means[r], means[s]) <= loss.max_similarity] or names
            if not names:
                continue
            pairs = []
            for anchor in a[r]:
                negatives = sum(math.exp(cosine(anchor, n) / loss.temperature) for s in names for n in k[s])
                for positive in k[r]:
                    own = math.exp(cosine(anchor, positive) / loss.temperature)
                    pairs.append(-math.log(own / (own + negatives)))
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
    loss = RegionContrastiveLoss(temperature, regions, samples, exclude_touching, max_similarity)
    first, second = draw(2, 4, *size), draw(2, 4, *size, seed=1)
    first_regions = torch.cat([blocks(size, edge), blocks(size, edge + 1)])
    second_regions = first_regions.flip(2)
    first_regions[:, :, 0, 0] = 0
    torch.manual_seed(3)
    found = loss(first, second, first_regions, second_regions)
    torch.manual_seed(3)
    assert found.item() == pytest.approx(slow_loss(loss, first, second, first_regions, second_regions), rel=1e-4)


@pytest.mark.parametrize("size", [(8, 8), (4, 6, 8)])
@pytest.mark.parametrize("exclude_touching", [True, False])
def test_region_maps_finer_than_the_features(size: tuple[int, ...], exclude_touching: bool) -> None:
    """Features at half the size, one view even coarser; regions touch as the maps show them."""
    loss = RegionContrastiveLoss(regions=6, samples=2, exclude_touching=exclude_touching)
    first = draw(1, 4, *(length // 2 for length in size))
    second = draw(1, 4, *(math.ceil(length / 3) for length in size), seed=1)
    regions = blocks(size, 2)
    torch.manual_seed(3)
    found = loss(first, second, regions.float(), regions)
    torch.manual_seed(3)
    assert found.item() == pytest.approx(slow_loss(loss, first, second, regions, regions), rel=1e-4)


def row(*numbers: int) -> Tensor:
    return torch.tensor(numbers)[None, None, None]


def test_value_by_hand() -> None:
    """Two regions, one feature each at a right angle: log(1 + K exp(-1 / t)) for K pixels of the other region."""
    regions = row(1, 1, 0, 2, 2)
    features = torch.tensor([[3.0, 3.0, 5.0, 0.0, 0.0], [0.0, 0.0, 5.0, 1.0, 1.0]])[None, :, None]
    loss = RegionContrastiveLoss(temperature=0.5, samples=3)(features, features, regions, regions)
    assert loss.item() == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize(("regions", "samples"), [(2, 8), (9, 5)])
def test_features_without_information_cost_the_log_of_the_negatives(regions: int, samples: int) -> None:
    flat, numbers = torch.ones(1, 3, 6, 6), blocks((6, 6), 2)
    loss = RegionContrastiveLoss(regions=regions, samples=samples, exclude_touching=False)
    assert loss(flat, flat, numbers, numbers).item() == pytest.approx(math.log(1 + (regions - 1) * samples), rel=1e-4)


def test_regions_that_touch_are_not_negatives() -> None:
    """1 and 2 touch, 3 lies apart: with 1 and 2 alike, only their distance to 3 is left to pay for."""
    regions = row(1, 1, 2, 2, 0, 3, 3)
    features = torch.tensor([[1.0] * 4 + [0.0] * 3, [0.0] * 5 + [1.0] * 2])[None, :, None]
    few = RegionContrastiveLoss(temperature=0.5, samples=2)(features, features, regions, regions)
    apart, alike = math.log(1 + 2 * math.exp(-2)), math.log(1 + 4 * math.exp(-2))
    assert few.item() == pytest.approx((2 * apart + alike) / 3, rel=1e-5)
    every = RegionContrastiveLoss(temperature=0.5, samples=2, exclude_touching=False)
    assert every(features, features, regions, regions).item() > few.item() + 0.5


def test_regions_that_touch_in_one_view_only_are_not_negatives() -> None:
    flat = torch.ones(1, 2, 1, 5, requires_grad=True)
    apart, near = row(1, 1, 0, 2, 2), row(0, 1, 2, 0, 0)
    loss = RegionContrastiveLoss()
    assert loss(flat, flat, apart, apart).item() == pytest.approx(math.log(9), rel=1e-5)
    for first, second in ((apart, near), (near, apart)):
        assert loss(flat, flat, first, second).item() == 0


def test_regions_touch_as_the_maps_show_them_not_as_the_features_do() -> None:
    """At half the size the voxel between 1 and 2 is lost; they are negatives all the same."""
    regions, flat = row(1, 1, 0, 2), torch.ones(1, 2, 1, 2)
    assert resize_regions(regions, (1, 2))[0, 0].tolist() == [[1, 2]]
    loss = RegionContrastiveLoss(samples=5)(flat, flat, regions, regions)
    assert loss.item() == pytest.approx(math.log(6), rel=1e-5)


def test_similar_regions_are_not_negatives() -> None:
    """1 and 3 show the same, 5 something else; a limit of 0.9 takes 1 and 3 out of each other's negatives."""
    regions = row(1, 0, 3, 0, 5)
    features = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]])[None, :, None]
    loss = RegionContrastiveLoss(temperature=0.5, samples=1, max_similarity=0.9)(features, features, regions, regions)
    one, two = math.log(1 + math.exp(-2)), math.log(1 + 2 * math.exp(-2))
    assert loss.item() == pytest.approx((2 * one + two) / 3, rel=1e-5)


def test_collapsed_features_are_not_excused_by_their_similarity() -> None:
    flat, numbers = torch.ones(1, 3, 6, 6), blocks((6, 6), 2)
    loss = RegionContrastiveLoss(regions=9, samples=2, exclude_touching=False, max_similarity=0.5)
    assert loss(flat, flat, numbers, numbers).item() == pytest.approx(math.log(1 + 16), rel=1e-4)


@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
def test_only_pixels_of_drawn_regions_are_taught(size: tuple[int, ...]) -> None:
    """No region, and a region that the other view does not show, stay out; keys without a graph stay untaught."""
    regions = blocks(size, 2)
    lost = regions == 3
    other = torch.where(lost, 0, regions)
    regions[:, :, 0] = 0
    first, second = draw(1, 4, *size).requires_grad_(), draw(1, 4, *size, seed=1).requires_grad_()
    torch.manual_seed(0)
    RegionContrastiveLoss(regions=40, samples=200)(first, second, regions, other).backward()
    taught = first.grad.abs().sum(dim=1, keepdim=True) > 0
    assert torch.equal(taught, (regions > 0) & ~lost)
    assert second.grad.abs().sum() > 0
    first.grad = None
    RegionContrastiveLoss(regions=40)(first, second.detach(), regions, other).backward()
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
def test_gradient_is_the_slope(size: tuple[int, ...]) -> None:
    """Of anchors and of the others, along a random direction."""
    loss, numbers = RegionContrastiveLoss(0.5, samples=4), blocks(size, 2).repeat(2, *[1] * (len(size) + 1))

    def value(a: Tensor, b: Tensor) -> Tensor:
        torch.manual_seed(1)
        return loss(a, b, numbers, numbers)

    first, second = draw(2, 4, *size).requires_grad_(), draw(2, 4, *size, seed=1).requires_grad_()
    value(first, second).backward()
    with torch.no_grad():
        for view, move in ((first, (0.01, 0.0)), (second, (0.0, 0.01))):
            way = draw(*view.shape, seed=7)
            ahead = value(first + move[0] * way, second + move[1] * way)
            back = value(first - move[0] * way, second - move[1] * way)
            assert (view.grad * way).sum().item() == pytest.approx((ahead - back).item() / 0.02, rel=0.02)


@pytest.mark.parametrize("regions", [row(0, 0, 0, 0), row(4, 4, 4, 4), row(4, 4, 5, 5)])
def test_no_negative_gives_zero_with_a_graph(regions: Tensor) -> None:
    features = draw(1, 3, 1, 4).requires_grad_()
    loss = RegionContrastiveLoss()(features, features.detach(), regions, regions)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_an_image_without_regions_does_not_change_the_loss_of_another() -> None:
    features, numbers = draw(2, 4, 6, 6), blocks((6, 6), 2).repeat(2, 1, 1, 1)
    numbers[1] = 0
    loss = RegionContrastiveLoss(regions=3)
    torch.manual_seed(1)
    both = loss(features, features, numbers, numbers)
    torch.manual_seed(1)
    torch.testing.assert_close(both, loss(features[:1], features[:1], numbers[:1], numbers[:1]))


def test_half_precision_is_computed_in_float32() -> None:
    features, numbers = draw(1, 16, 8, 8).bfloat16(), blocks((8, 8), 2)
    loss = RegionContrastiveLoss(0.07, max_similarity=0.3)
    torch.manual_seed(1)
    expected = loss(features.float(), features.float(), numbers, numbers)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(features, features, numbers, numbers)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4, 4), (2, 5, 4, 4), (2, 1, 4, 4), (2, 1, 4, 4)),
        ((2, 3, 4, 4), (2, 3, 4, 4), (1, 1, 4, 4), (2, 1, 4, 4)),
    ],
)
def test_what_does_not_belong_together_is_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        RegionContrastiveLoss()(*(torch.ones(shape) for shape in shapes))


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"regions": 1}, {"samples": 0}, {"max_similarity": 1.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        RegionContrastiveLoss(**settings)
