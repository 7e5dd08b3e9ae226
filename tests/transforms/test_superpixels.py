"""Tests of super-pixels: edges, slices of volumes, and the cache on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s3net_monai.transforms.superpixels import Superpixelsd, superpixels
from tests.helpers.pickled import Pickled


def quarters(height: int = 24, width: int = 32) -> NDArray[np.float32]:
    """Return an image of four flat rectangles, (1, height, width)."""
    image = np.zeros((1, height, width), np.float32)
    image[0, : height // 2, width // 2 :] = 0.3
    image[0, height // 2 :, : width // 2] = 0.6
    image[0, height // 2 :, width // 2 :] = 1.0
    return image


def textured(seed: int, shape: tuple[int, ...] = (1, 24, 32)) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def regions_of(transform: Superpixelsd, image: NDArray[np.float32]) -> torch.Tensor:
    return transform({"image": torch.from_numpy(image)})["regions"]


def test_regions_follow_edges() -> None:
    image = quarters()
    regions = superpixels(image, scale=50, sigma=0, min_size=4)
    assert regions.min() == 1
    assert regions.max() == 4
    for value in np.unique(image):
        assert len(np.unique(regions[image[0] == value])) == 1


def test_color_alone_is_an_edge() -> None:
    image = np.full((3, 16, 16), 0.5, np.float32)
    image[0, :, 8:], image[2, :, 8:] = 0.8, 0.2  # as bright as the other half
    regions = superpixels(image, sigma=0)
    assert np.array_equal(np.unique(regions), [1, 2])
    assert (regions[:, :8] == regions[0, 0]).all()
    assert (regions[:, 8:] == regions[0, -1]).all()


@pytest.mark.parametrize(("setting", "small", "large"), [("scale", 5, 500), ("min_size", 2, 60), ("sigma", 0, 3)])
def test_settings_make_regions_larger(setting: str, small: float, large: float) -> None:
    coarse, fine = (int(superpixels(textured(0), **{setting: value}).max()) for value in (large, small))  # type: ignore[arg-type]
    assert coarse < fine


def test_every_slice_of_a_volume_has_its_own_regions() -> None:
    volume = np.stack([quarters(), textured(1), quarters()], axis=-1)
    regions = superpixels(volume)
    slice_regions = [set(np.unique(regions[..., z])) for z in range(3)]
    assert sorted(set().union(*slice_regions)) == list(range(1, regions.max() + 1))
    assert sum(map(len, slice_regions)) == regions.max()
    for z in range(3):
        expected = superpixels(volume[..., z])
        assert np.array_equal(regions[..., z] - regions[..., z].min() + 1, expected)


def test_sample_gets_one_channel_and_keeps_its_image(tmp_path: Path) -> None:
    image = textured(2, (3, 20, 30))
    sample = Superpixelsd("image", cache_dir=tmp_path / "a" / "b")({"image": torch.from_numpy(image.copy()), "x": 1})
    assert sample["regions"].shape == (1, 20, 30)
    assert sample["regions"].dtype == torch.int32
    assert np.array_equal(sample["image"].numpy(), image)
    assert sample["x"] == 1
    assert np.array_equal(sample["regions"][0].numpy(), superpixels(image))


def stored_results(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_cache_is_keyed_by_content_and_settings(tmp_path: Path) -> None:
    first = regions_of(Superpixelsd("image", cache_dir=tmp_path), textured(3))
    (stored,) = stored_results(tmp_path)
    np.savez_compressed(stored, regions=np.full((24, 32), 7, np.int32))
    assert (regions_of(Superpixelsd("image", cache_dir=str(tmp_path)), textured(3)) == 7).all()
    assert not torch.equal(regions_of(Superpixelsd("image", scale=80, cache_dir=tmp_path), textured(3)), first)
    changed = textured(3)
    changed[0, 0, 0] = 0.0
    assert (regions_of(Superpixelsd("image", cache_dir=tmp_path), changed) != 7).any()
    reshaped = textured(3).reshape(1, 32, 24)
    assert regions_of(Superpixelsd("image", cache_dir=tmp_path), reshaped).shape == (1, 32, 24)
    assert len(stored_results(tmp_path)) == 4


@pytest.mark.parametrize("damage", [b"", b"no archive"])
def test_damaged_cache_entry_is_computed_again(tmp_path: Path, damage: bytes) -> None:
    transform = Superpixelsd("image", cache_dir=tmp_path)
    regions = regions_of(transform, textured(4))
    (stored,) = stored_results(tmp_path)
    content = stored.read_bytes()
    stored.write_bytes(damage or content[: len(content) // 2])
    assert torch.equal(regions_of(transform, textured(4)), regions)
    assert np.array_equal(np.load(stored)["regions"], regions[0])


def test_pickled_cache_entry_is_not_run(tmp_path: Path) -> None:
    transform = Superpixelsd("image", cache_dir=tmp_path)
    regions = regions_of(transform, textured(4))
    (stored,) = stored_results(tmp_path)
    np.savez_compressed(stored, regions=np.array([Pickled(tmp_path / "ran")], object))
    assert torch.equal(regions_of(transform, textured(4)), regions)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("image", [textured(0) * 255, textured(0) - 0.5, np.full((1, 9, 9), np.nan, np.float32)])
def test_intensities_outside_the_unit_interval_are_refused(image: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"image is from .* expected \[0, 1\]; scale"):
        regions_of(Superpixelsd("image"), image)
