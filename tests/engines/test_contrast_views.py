"""Tests of two transformed views: corresponding points show the same."""

from __future__ import annotations

import math

import pytest
import torch
from monai.engines import SupervisedTrainer
from monai.inferers import SimpleInferer
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.engines.contrast_views import ContrastViews, relative_affine, warp_image
from s3net_monai.engines.two_views import TwoViews
from s3net_monai.losses.affine_consistency import in_bounds_mask, warp

SIZES = [(48, 64), (24, 30, 20)]
GEOMETRY = {"rotate": 180.0, "scale": 0.3, "shear": 0.1, "translate": 0.1, "flip": 0.5}


def colorless(seed: int | None = None, **ranges: float) -> TwoViews:
    return TwoViews(**{**GEOMETRY, **ranges}, gain=0.0, bias=0.0, noise=0.0, seed=seed)


def smooth(size: tuple[int, ...], count: int = 4) -> Tensor:
    """Return two sines of long waves along oblique directions, different everywhere."""
    axes = torch.meshgrid(*[torch.linspace(0, 1, n) for n in size], indexing="ij")
    first = sum(math.pi * (0.5 + 0.5 * k) * axis for k, axis in enumerate(axes))
    second = sum(math.pi * (1.5 - k) * axis for k, axis in enumerate(axes))
    return torch.stack([torch.sin(torch.as_tensor(first)), torch.cos(torch.as_tensor(second))]).repeat(
        count, 1, *[1] * len(size)
    )


@pytest.mark.parametrize("size", SIZES)
def test_views_agree_at_corresponding_points(size: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    query, target, (key,), keywords = ContrastViews(colorless())({"image": smooth(size)})
    assert keywords == {}
    assert query.shape == key.shape == (4, 2, *size)
    assert target["valid"].shape == (4, 1, *size)
    assert 0.2 < target["valid"].mean() < 0.95
    # One pixel inside the query: at its edge interpolation lacks a neighbor.
    reliable = target["valid"] * (target["grid"].abs() < 1 - 2 / min(size)).all(dim=-1).unsqueeze(1)
    assert (reliable.flatten(1).mean(dim=1) > 0.1).all()
    assert ((warp(query, target["grid"]) - key).abs() * reliable).max() < 0.06
    assert ((query - key).abs() * reliable).max() > 0.5  # without the grid they differ


@pytest.mark.parametrize("size", SIZES)
def test_grid_against_the_transforms_that_made_the_views(size: tuple[int, ...]) -> None:
    """Views of an image of coordinates show from where in the image every pixel comes."""
    identity = F.affine_grid(torch.eye(len(size), len(size) + 1)[None], [1, 1, *size], align_corners=False)
    coordinates = identity.movedim(-1, 1).repeat(3, *[1] * (len(size) + 1))
    torch.manual_seed(2)
    query, target, (key,), _ = ContrastViews(colorless(rotate=90.0, scale=0.2))({"image": coordinates})
    margin = 3 / min(size)
    reliable = target["valid"] * ((key.abs() < 1 - margin).all(dim=1, keepdim=True))
    reliable = reliable * (target["grid"].abs() < 1 - margin).all(dim=-1).unsqueeze(1)
    assert reliable.mean() > 0.2
    assert ((warp(query, target["grid"]) - key).abs() * reliable).max() < 1e-4


def test_composition_by_hand() -> None:
    """The query is zoomed by 2, the key shifted by 0.5 along x: 2 q = k + 0.5, hence q = k / 2 + 0.25."""
    first = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    second = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    expected = torch.tensor([[[0.5, 0.0, 0.25], [0.0, 0.5, 0.0]]])
    torch.testing.assert_close(relative_affine(first, second), expected)
    torch.testing.assert_close(relative_affine(second, second), torch.eye(2, 3)[None])


def test_valid_is_where_both_views_are_inside_the_image() -> None:
    torch.manual_seed(3)
    image = torch.zeros(8, 1, 40, 40)
    _, target, _, _ = ContrastViews(colorless(translate=0.3))({"image": image, "regions": torch.ones(8, 1, 40, 40)})
    valid = target["valid"] > 0
    assert ((target["key_regions"] > 0) == (target["key_regions"] == 1)).all()
    assert (target["key_regions"][valid] == 1).float().mean() > 0.99
    assert not valid[(in_bounds_mask(target["grid"]) == 0)].any()
    outside = (target["key_regions"] == 0) & (in_bounds_mask(target["grid"]) > 0)
    assert outside.any()
    assert not valid[outside].float().mean() > 0.01


@pytest.mark.parametrize("size", SIZES)
def test_regions_follow_their_view(size: tuple[int, ...]) -> None:
    """Regions that are steps of the image's intensity can be read from either view."""
    coarse = torch.arange(1.0, 1 + 3 ** len(size)).reshape(1, 1, *[3] * len(size))
    regions = F.interpolate(coarse, size=size, mode="nearest").repeat(4, *[1] * (len(size) + 1))
    torch.manual_seed(4)
    batch = {"image": regions / 100, "regions": regions.to(torch.int32)}
    query, target, (key,), _ = ContrastViews(colorless())(batch)
    for view, regions_of_view in ((query, target["regions"]), (key, target["key_regions"])):
        assert regions_of_view.dtype == torch.int64
        assert regions_of_view.shape == view.shape
        assert set(regions_of_view.unique().tolist()) <= set(range(1 + 3 ** len(size)))
        values = (view * 100).round().long()
        flat = ((view * 100 - values).abs() < 1e-3) & (regions_of_view > 0)
        assert flat.float().mean() > 0.4
        assert (values[flat] == regions_of_view[flat]).float().mean() > 0.99
    sampled = F.grid_sample(target["regions"].float(), target["grid"], mode="nearest", align_corners=False)
    both = (target["valid"] > 0) & (target["key_regions"] > 0)
    assert (sampled[both] == target["key_regions"][both]).float().mean() > 0.85


def test_large_region_numbers_stay_distinct() -> None:
    regions = torch.tensor([[[[2**23, 2**23 + 1]]]], dtype=torch.int32).repeat_interleave(4, -1).repeat(1, 1, 8, 1)
    still = TwoViews(rotate=0.0, scale=0.0, shear=0.0, translate=0.0, flip=0.0)
    _, target, _, _ = ContrastViews(still)({"image": torch.zeros(1, 1, 8, 8), "regions": regions})
    assert torch.equal(target["regions"], regions.long())


def test_both_views_change_independently() -> None:
    image = torch.rand(4, 3, 32, 32)
    torch.manual_seed(0)
    query, _, (key,), _ = ContrastViews(TwoViews(rotate=0.0, scale=0.0, shear=0.0, translate=0.0, flip=0.0))(
        {"image": image}
    )
    for view in (query, key):
        assert (view - image).abs().mean() > 0.02
    assert (query - key).abs().mean() > 0.02
    torch.manual_seed(0)
    query, _, (key,), _ = ContrastViews(colorless())({"image": image})
    assert (query - image).abs().flatten(1).mean(1).min() > 0.05
    assert (key - image).abs().flatten(1).mean(1).min() > 0.05
    assert (query - key).abs().flatten(1).mean(1).min() > 0.05


def test_random_numbers_are_torchs_or_the_seeds() -> None:
    batch = {"image": torch.rand(2, 1, 16, 16)}

    def view(views: ContrastViews, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return views(batch)[0]

    unseeded = ContrastViews()
    assert torch.equal(view(unseeded, 1), view(unseeded, 1))
    assert not torch.equal(view(unseeded, 1), view(unseeded, 2))
    seeded = ContrastViews(TwoViews(seed=5))
    assert torch.equal(view(seeded, 1), view(seeded, 2))


def test_beyond_the_border_is_the_mirror_image() -> None:
    image = torch.arange(4.0).reshape(1, 1, 1, 4)
    shifted = F.affine_grid(torch.tensor([[[1.0, 0, 1.0], [0, 1.0, 0]]]), [1, 1, 1, 4], align_corners=False)
    assert warp_image(image, shifted).flatten().tolist() == [2, 3, 3, 2]


def test_with_monais_trainer() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 4, 3, padding=1)

        def forward(self, query: Tensor, key: Tensor) -> dict[str, Tensor]:
            return {"query": self.layer(query), "key": self.layer(key).detach()}

    def loss(prediction: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
        warped = warp(prediction["query"], target["grid"])
        return ((warped - prediction["key"]).square() * target["valid"]).mean()

    network = Pair()
    before = network.layer.weight.detach().clone()
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": torch.rand(2, 1, 16, 16)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=loss,
        inferer=SimpleInferer(),
        prepare_batch=ContrastViews(),
        decollate=False,
    )
    trainer.run()
    assert not torch.equal(network.layer.weight, before)
