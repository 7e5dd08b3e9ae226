"""Tests of the second view: its geometry, its intensities, and repetition by seeds."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.engines.two_views import TwoViews
from s3net_monai.losses.affine_consistency import in_bounds_mask, warp

SIZES = [(12, 20), (9, 7, 14)]


def still(**ranges: float) -> TwoViews:
    """Return views that change nothing but the given ranges."""
    zero = dict.fromkeys(("rotate", "scale", "shear", "translate", "flip", "gain", "bias", "noise"), 0.0)
    return TwoViews(**{**zero, **ranges})


def voxel_map(grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices (B, D, D) and shifts (B, D) from voxels of the view to the image.

    Both coordinates are centered.
    """
    size = torch.tensor(grid.shape[1:-1], dtype=torch.float64)
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in size.tolist()]
    view = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)
    image = (grid.double().flip(-1) * size / 2).flatten(1, -2)
    ones = torch.ones(len(view), 1, dtype=torch.float64)
    solution = torch.linalg.lstsq(torch.cat([view, ones], 1).expand(len(image), -1, -1), image).solution
    return solution[:, :-1].mT, solution[:, -1]


def maps(size: tuple[int, ...], count: int = 64, **ranges: float) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return voxel_map(still(**ranges).grid(torch.zeros(count, 1, *size)))


def eye(size: tuple[int, ...]) -> Tensor:
    return torch.eye(len(size), dtype=torch.float64).expand(64, -1, -1)


def test_zero_ranges_give_the_same_view_twice() -> None:
    for size in SIZES:
        image = torch.rand(3, 2, *size)
        views, target = still()({"image": image})
        dims = len(size)
        identity = F.affine_grid(torch.eye(dims, dims + 1).repeat(3, 1, 1), [3, 1, *size], align_corners=False)
        torch.testing.assert_close(target["grid"], identity)
        assert torch.equal(views[:3], image)
        torch.testing.assert_close(views[3:], image, rtol=0, atol=1e-5)
        assert target["image"] is views


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rotate", [15.0, 180.0])
def test_rotation_is_rigid_in_voxels_of_non_square_images(size: tuple[int, ...], rotate: float) -> None:
    matrix, shift = maps(size, rotate=rotate)
    torch.testing.assert_close(matrix @ matrix.mT, eye(size), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(64, dtype=torch.float64), rtol=0, atol=1e-5)
    assert shift.abs().max() < 1e-4
    angles = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert 0.8 * rotate < angles.max() <= rotate
    assert -rotate <= angles.min() < -0.8 * rotate


@pytest.mark.parametrize("size", SIZES)
def test_scale_is_the_same_along_every_axis(size: tuple[int, ...]) -> None:
    matrix, _ = maps(size, scale=0.25)
    zoom = matrix[:, 0, 0]
    torch.testing.assert_close(matrix, zoom[:, None, None] * eye(size), rtol=0, atol=1e-5)
    assert 0.8 <= zoom.min() < 0.85
    assert 1.18 < zoom.max() <= 1.25


@pytest.mark.parametrize("size", SIZES)
def test_shear_moves_the_first_axis_along_the_second(size: tuple[int, ...]) -> None:
    matrix, _ = maps(size, shear=0.1)
    difference = matrix - eye(size)
    assert 0.08 < difference[:, 0, 1].abs().max() <= 0.1 + 1e-6
    difference[:, 0, 1] = 0
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_translation_is_a_fraction_of_every_axis(size: tuple[int, ...]) -> None:
    matrix, shift = maps(size, translate=0.1)
    torch.testing.assert_close(matrix, eye(size), rtol=0, atol=1e-5)
    fraction = shift.abs().amax(dim=0) / torch.tensor(size)
    assert (fraction <= 0.1 + 1e-6).all()
    assert (fraction > 0.08).all()


@pytest.mark.parametrize("size", SIZES)
def test_flips_of_the_axes_are_independent(size: tuple[int, ...]) -> None:
    torch.testing.assert_close(maps(size, flip=1.0)[0], -eye(size), rtol=0, atol=1e-5)
    signs = torch.diagonal(maps(size, flip=0.5)[0], dim1=1, dim2=2).round()
    assert len({tuple(row) for row in signs.tolist()}) == 2 ** len(size)


def test_volumes_are_not_tilted_against_the_third_axis() -> None:
    torch.manual_seed(0)
    matrix, _ = voxel_map(TwoViews().grid(torch.zeros(64, 1, 9, 7, 14)))
    assert matrix[:, 2, :2].abs().max() < 1e-5
    assert matrix[:, :2, 2].abs().max() < 1e-5
    assert (matrix[:, :2, :2].abs().amax(dim=0) > 0.5).all()


def test_a_disc_stays_a_disc_and_a_bar_rotates() -> None:
    """On 40 x 64 pixels a rotation in normalized coordinates would make an ellipse of the disc."""
    x, y = torch.meshgrid(torch.arange(40.0) - 19.5, torch.arange(64.0) - 31.5, indexing="ij")
    disc = torch.sigmoid(2 * (12 - (x**2 + y**2).sqrt()))
    bar = ((x.abs() < 14) & (y.abs() < 3)).float()
    torch.manual_seed(2)
    views, target = still(rotate=90.0)({"image": torch.stack([disc, bar]).expand(8, 2, 40, 64)})
    warped_disc, warped_bar = views[8:, 0], views[8:, 1]
    covered = in_bounds_mask(target["grid"])[:, 0]
    torch.testing.assert_close(warped_disc * covered, disc * covered, rtol=0, atol=0.05)
    matrix, _ = voxel_map(target["grid"])
    for image, m in zip(warped_bar * covered, matrix, strict=True):
        # the long axis of the bar lies where the view's coordinates map to the first axis of the image
        spread = torch.tensor([[(image * a * b).sum() for b in (x, y)] for a in (x, y)], dtype=torch.float64)
        longest = torch.linalg.eigh(spread).eigenvectors[:, -1]
        assert abs((m @ longest)[0]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("size", SIZES)
def test_grid_is_the_geometry_of_the_second_view(size: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    smooth = F.interpolate(torch.rand(5, 2, *[3] * len(size)), size=size, mode="nearest")
    geometry = {"rotate": 180.0, "scale": 0.25, "shear": 0.1, "translate": 0.1, "flip": 0.5}
    views, target = still(**geometry)({"image": smooth})
    interior = (target["grid"].abs() < 1 - 1 / min(size)).all(dim=-1)[:, None]
    difference = (views[5:] - warp(smooth, target["grid"])).abs() * interior
    assert difference.max() < 1e-5
    assert (views[5:] - smooth).abs().max() > 0.1
    assert 0.3 < in_bounds_mask(target["grid"]).mean() < 1


def test_intensities_change_linearly_per_channel() -> None:
    torch.manual_seed(0)
    image = torch.rand(32, 3, 8, 9)
    changed = still(gain=0.2, bias=0.1).jitter_intensity(image)
    mean = image.mean((2, 3), keepdim=True)
    bias = changed.mean((2, 3), keepdim=True) - mean
    centered = image - mean
    gain = ((changed - mean - bias) * centered).sum((2, 3), keepdim=True) / centered.square().sum((2, 3), keepdim=True)
    torch.testing.assert_close(changed, centered * gain + mean + bias)
    assert 0.8 <= gain.min() < 0.82
    assert 1.18 < gain.max() <= 1.2 + 1e-5
    assert 0.09 < bias.abs().max() <= 0.1 + 1e-5
    assert gain.flatten(1).std(dim=1).min() > 0
    assert bias.flatten(1).std(dim=1).min() > 0


def test_noise_is_white_and_bounded() -> None:
    torch.manual_seed(0)
    noise = still(noise=0.03).jitter_intensity(torch.full((24, 1, 40, 40), 0.5)) - 0.5
    spread = noise.std((1, 2, 3))
    assert spread.max() < 0.032
    assert spread.max() > 0.025
    assert spread.min() < 0.01
    assert noise.mean().abs() < 1e-3


def test_only_the_second_view_is_recolored() -> None:
    image = torch.rand(2, 1, 8, 8)
    views, _ = still(gain=0.2, bias=0.1, noise=0.03)({"image": image})
    assert torch.equal(views[:2], image)
    assert not torch.allclose(views[2:], image, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_global_seed_repeats_the_views(size: tuple[int, ...]) -> None:
    image = torch.rand(2, 1, *size)

    def views(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return TwoViews()({"image": image})[0]

    assert torch.equal(views(1), views(1))
    assert not torch.allclose(views(1), views(2), atol=1e-3)


def test_own_seed_repeats_batches_and_global_state_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    reseeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    image, views = torch.rand(2, 1, 8, 9), TwoViews(seed=5)
    state = torch.get_rng_state()
    first = views({"image": image})[0]
    assert torch.equal(torch.get_rng_state(), state)
    assert reseeded == []
    torch.rand(7)
    assert torch.equal(views({"image": image})[0], first)
    assert not torch.allclose(TwoViews(seed=6)({"image": image})[0], first, atol=1e-3)


def test_the_weak_label_is_not_transformed() -> None:
    image, weak_label = torch.rand(2, 3, 8, 9), torch.randint(0, 2, (2, 1, 8, 9), dtype=torch.uint8)
    _, target = TwoViews()({"image": image, "weak_label": weak_label, "case_id": ["a", "b"]})
    assert set(target) == {"image", "grid", "weak_label"}
    assert target["weak_label"].dtype == image.dtype
    assert torch.equal(target["weak_label"], weak_label.float())
    assert set(TwoViews()({"image": image})[1]) == {"image", "grid"}


def test_keys_are_settings() -> None:
    batch = {"ct": torch.rand(1, 1, 6, 6), "lesion": torch.rand(1, 1, 6, 6)}
    views, target = TwoViews(image_key="ct", weak_label_key="lesion")(batch)
    assert torch.equal(views[:1], batch["ct"])
    assert torch.equal(target["weak_label"], batch["lesion"])


def test_gives_plain_tensors_to_monai_trainers() -> None:
    batch: dict[str, Any] = {
        "image": MetaTensor(torch.rand(2, 1, 8, 9)),
        "weak_label": MetaTensor(torch.rand(2, 1, 8, 9)),
    }
    views, target = TwoViews()(batch, device="cpu", non_blocking=True, memory_format=torch.contiguous_format)
    assert {type(tensor) for tensor in (views, *target.values())} == {Tensor}


def test_views_have_the_type_of_the_images() -> None:
    views, target = still()({"image": torch.rand(1, 1, 6, 8).double()})
    assert views.dtype == target["grid"].dtype == torch.float64


def test_builds_from_a_config() -> None:
    views = ConfigParser(
        {"views": {"_target_": "s3net_monai.engines.two_views.TwoViews", "rotate": 10.0, "flip": 0.0}}
    ).get_parsed_content("views")
    torch.manual_seed(0)
    matrix, _ = voxel_map(views.grid(torch.zeros(64, 1, 9, 9)))
    angles = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])
    assert angles.abs().max() <= math.radians(10) + 1e-6
