"""Square pixels of one size, known or not, and masks back on the grid that came in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import InPlaneSpacingd, SliceToVolumed


def volume(size: tuple[int, ...], spacing: tuple[float, ...]) -> MetaTensor:
    """One channel of a disc of 40 mm about the middle, the same in every slice."""
    axes = [(np.arange(count) - (count - 1) / 2) * step for count, step in zip(size[:2], spacing[:2], strict=True)]
    disc = (np.hypot(*np.meshgrid(*axes, indexing="ij")) < 20).astype(np.float32)
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    return MetaTensor(torch.as_tensor(disc)[None, :, :, None].repeat(1, 1, 1, size[2]), affine=affine)


@pytest.mark.parametrize(("spacing", "size"), [((0.7, 0.75, 8.0), (47, 40)), ((2.5, 1.4, 10.0), (167, 75))])
def test_known_pixels_become_those_of_the_training(spacing: tuple[float, ...], size: tuple[int, int]) -> None:
    image = volume((100, 80, 3), spacing)
    steps = Compose([InPlaneSpacingd("image")])
    resampled = steps({"image": image})["image"]
    assert tuple(resampled.shape) == (1, *size, 3), "slices stay as they are"
    assert float(resampled.pixdim[0]) == pytest.approx(1.5, rel=0.02)
    assert float(resampled.sum()) * 1.5 * 1.5 == pytest.approx(float(image.sum()) * spacing[0] * spacing[1], rel=0.03)
    back = steps.inverse({"image": resampled})["image"]
    assert back.shape == image.shape
    np.testing.assert_array_equal(back.affine, image.affine)
    assert ((back > 0.5) == (image > 0.5)).float().mean() > 0.98


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 8.0), (0.05, 0.05, 1.0), (900.0, 900.0, 1.0)])
def test_where_the_size_is_lost_the_longer_side_tells(spacing: tuple[float, ...]) -> None:
    image = volume((20, 16, 2), spacing)
    steps = Compose([InPlaneSpacingd("image", pixdim=1.5, longer_side=60.0)])
    assert tuple(steps({"image": image})["image"].shape) == (1, 40, 32, 2)
    assert tuple(steps.inverse(steps({"image": image}))["image"].shape) == (1, 20, 16, 2)


def test_two_matrices_over_one_field_of_view_become_one() -> None:
    """What a scanner interpolates to twice the matrix, its sizes lost, shows a heart of the same number of pixels."""
    coarse, fine = volume((128, 96, 1), (3.0, 3.0, 8.0)), volume((320, 240, 1), (1.2, 1.2, 8.0))
    lost = torch.eye(4, dtype=torch.float64)
    step = InPlaneSpacingd("image")
    seen = [step({"image": MetaTensor(each.as_tensor(), affine=lost)})["image"] for each in (coarse, fine)]
    assert seen[0].shape == seen[1].shape == (1, 256, 192, 1)
    assert float(seen[0].sum()) == pytest.approx(float(seen[1].sum()), rel=0.05)


def test_pixels_of_the_right_size_are_left_alone() -> None:
    image = volume((20, 16, 2), (1.5, 1.5, 8.0))
    assert torch.equal(InPlaneSpacingd("image")({"image": image})["image"], image)


def test_labels_keep_their_values() -> None:
    image, label = volume((60, 50, 2), (1.0, 1.0, 1.0)), 3 * volume((60, 50, 2), (1.0, 1.0, 1.0))
    step = InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"], allow_missing_keys=True)
    sample = step({"image": image, "label": label})
    assert sample["image"].shape == sample["label"].shape
    assert set(torch.unique(sample["label"]).tolist()) == {0.0, 3.0}
    assert set(step({"image": image})) == {"image"}


def test_pictures_have_no_size() -> None:
    picture = SliceToVolumed("image", field_of_view=None)({"image": MetaTensor(torch.rand(1, 12, 10))})
    assert tuple(picture["image"].shape) == (1, 12, 10, 1)
    assert tuple(InPlaneSpacingd("image")(picture)["image"].shape) == (1, 256, 213, 1)


def test_a_label_that_has_lost_its_size_stays_with_its_image() -> None:
    image = volume((60, 50, 2), (1.4, 1.4, 8.0))
    label = MetaTensor(image.as_tensor().clone(), affine=torch.eye(4))
    steps = InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"])
    seen = steps({"image": image, "label": label})
    assert tuple(seen["label"].shape) == (1, 56, 47, 2)
    assert (seen["label"].as_tensor() == (seen["image"].as_tensor() > 0.5)).float().mean() > 0.98
    back = steps.inverse(seen)
    assert back["label"].shape == label.shape
    np.testing.assert_array_equal(back["label"].affine, np.eye(4))


def test_unequal_grids_are_refused() -> None:
    sample = {"case_id": "p01", "image": volume((8, 6, 2), (2, 2, 8)), "label": volume((8, 7, 2), (2, 2, 8))}
    with pytest.raises(ValueError, match=r"p01: found grids .*\(8, 6, 2\).*expected one; resample the label"):
        InPlaneSpacingd(["image", "label"], mode=["linear", "nearest-exact"])(sample)
