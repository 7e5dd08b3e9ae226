"""Tests of resampling to square pixels and back, with the pixel size stated or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import InPlaneSpacingd, SliceToVolumed


def volume(size: tuple[int, ...], spacing: tuple[float, ...]) -> MetaTensor:
    """Return one channel with a disc of 40 mm about the center, the same in every slice."""
    axes = [(np.arange(count) - (count - 1) / 2) * step for count, step in zip(size[:2], spacing[:2], strict=True)]
    disc = (np.hypot(*np.meshgrid(*axes, indexing="ij")) < 20).astype(np.float32)
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    return MetaTensor(torch.as_tensor(disc)[None, :, :, None].repeat(1, 1, 1, size[2]), affine=affine)


@pytest.mark.parametrize(("spacing", "size"), [((0.7, 0.75, 8.0), (47, 40)), ((2.5, 1.4, 10.0), (167, 75))])
def test_a_stated_pixel_size_is_resampled(spacing: tuple[float, ...], size: tuple[int, int]) -> None:
    image = volume((100, 80, 3), spacing)
    transform = Compose([InPlaneSpacingd("image")])
    resampled = transform({"image": image})["image"]
    assert tuple(resampled.shape) == (1, *size, 3), "slices stay as they are"
    assert float(resampled.pixdim[0]) == pytest.approx(1.5, rel=0.02)
    assert float(resampled.sum()) * 1.5 * 1.5 == pytest.approx(float(image.sum()) * spacing[0] * spacing[1], rel=0.03)
    restored = transform.inverse({"image": resampled})["image"]
    assert restored.shape == image.shape
    np.testing.assert_array_equal(restored.affine, image.affine)
    assert ((restored > 0.5) == (image > 0.5)).float().mean() > 0.98


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 8.0), (0.05, 0.05, 1.0), (900.0, 900.0, 1.0)])
def test_an_unknown_size_is_derived_from_the_longer_side(spacing: tuple[float, ...]) -> None:
    image = volume((20, 16, 2), spacing)
    transform = Compose([InPlaneSpacingd("image", pixdim=1.5, longer_side=60.0)])
    assert tuple(transform({"image": image})["image"].shape) == (1, 40, 32, 2)
    assert tuple(transform.inverse(transform({"image": image}))["image"].shape) == (1, 20, 16, 2)


def test_two_matrices_of_one_field_of_view_become_one() -> None:
    """An image that a scanner interpolated to a larger matrix shows a heart of the same number of pixels."""
    coarse, fine = volume((128, 96, 1), (3.0, 3.0, 8.0)), volume((320, 240, 1), (1.2, 1.2, 8.0))
    unknown = torch.eye(4, dtype=torch.float64)
    transform = InPlaneSpacingd("image")
    resampled = [
        transform({"image": MetaTensor(image.as_tensor(), affine=unknown)})["image"] for image in (coarse, fine)
    ]
    assert resampled[0].shape == resampled[1].shape == (1, 256, 192, 1)
    assert float(resampled[0].sum()) == pytest.approx(float(resampled[1].sum()), rel=0.05)


def test_pixels_of_the_target_size_are_not_changed() -> None:
    image = volume((20, 16, 2), (1.5, 1.5, 8.0))
    assert torch.equal(InPlaneSpacingd("image")({"image": image})["image"], image)


def test_labels_keep_their_values() -> None:
    image, label = volume((60, 50, 2), (1.0, 1.0, 1.0)), 3 * volume((60, 50, 2), (1.0, 1.0, 1.0))
    transform = InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"], allow_missing_keys=True)
    sample = transform({"image": image, "label": label})
    assert sample["image"].shape == sample["label"].shape
    assert set(torch.unique(sample["label"]).tolist()) == {0.0, 3.0}
    assert set(transform({"image": image})) == {"image"}


def test_2d_images_have_an_unknown_size() -> None:
    volume_of_slice = SliceToVolumed("image", field_of_view=None)({"image": MetaTensor(torch.rand(1, 12, 10))})
    assert tuple(volume_of_slice["image"].shape) == (1, 12, 10, 1)
    assert tuple(InPlaneSpacingd("image")(volume_of_slice)["image"].shape) == (1, 256, 213, 1)


def test_a_label_of_unknown_size_follows_its_image() -> None:
    image = volume((60, 50, 2), (1.4, 1.4, 8.0))
    label = MetaTensor(image.as_tensor().clone(), affine=torch.eye(4))
    transform = InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"])
    resampled = transform({"image": image, "label": label})
    assert tuple(resampled["label"].shape) == (1, 56, 47, 2)
    assert (resampled["label"].as_tensor() == (resampled["image"].as_tensor() > 0.5)).float().mean() > 0.98
    restored = transform.inverse(resampled)
    assert restored["label"].shape == label.shape
    np.testing.assert_array_equal(restored["label"].affine, np.eye(4))


def test_unequal_grids_are_refused() -> None:
    sample = {"case_id": "p01", "image": volume((8, 6, 2), (2, 2, 8)), "label": volume((8, 7, 2), (2, 2, 8))}
    with pytest.raises(ValueError, match=r"p01: found grids .*\(8, 6, 2\).*expected one; resample the label"):
        InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"])(sample)
