"""Pixels near the size of the training, and masks back on the grid that came in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import InPlaneSpacingd, PictureAsVolumed


def volume(size: tuple[int, ...], spacing: tuple[float, ...]) -> MetaTensor:
    """One channel of a disc of 40 mm about the middle, the same in every slice."""
    axes = [(np.arange(count) - (count - 1) / 2) * step for count, step in zip(size[:2], spacing[:2], strict=True)]
    disc = (np.hypot(*np.meshgrid(*axes, indexing="ij")) < 20).astype(np.float32)
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    return MetaTensor(torch.as_tensor(disc)[None, :, :, None].repeat(1, 1, 1, size[2]), affine=affine)


@pytest.mark.parametrize(("spacing", "size"), [((0.7, 0.75, 8.0), (47, 40)), ((2.5, 1.4, 10.0), (167, 75))])
def test_other_pixels_become_those_of_the_training(spacing: tuple[float, ...], size: tuple[int, int]) -> None:
    image = volume((100, 80, 3), spacing)
    steps = Compose([InPlaneSpacingd("image")])
    resampled = steps({"image": image})["image"]
    assert tuple(resampled.shape) == (1, *size, 3), "slices stay as they are"
    assert float(resampled.pixdim[0]) == pytest.approx(1.5, rel=0.02)
    assert float(resampled.sum()) * 1.5 * 1.5 == pytest.approx(float(image.sum()) * spacing[0] * spacing[1], rel=0.03)
    back = steps.inverse({"image": resampled})["image"]
    assert back.shape == image.shape
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-6)
    assert ((back > 0.5) == (image > 0.5)).float().mean() > 0.98


@pytest.mark.parametrize(
    "spacing", [(1.4, 1.4, 8.0), (1.0, 1.0, 1.0), (1.0, 1.0, 8.0), (0.05, 0.05, 1.0), (900.0, 900.0, 1.0)]
)
def test_usual_lost_and_unbelievable_sizes_are_left_alone(spacing: tuple[float, ...]) -> None:
    image = volume((20, 16, 2), spacing)
    steps = Compose([InPlaneSpacingd("image")])
    assert torch.equal(steps({"image": image})["image"], image)
    assert torch.equal(steps.inverse(steps({"image": image}))["image"], image)


def test_pictures_have_no_size() -> None:
    picture = PictureAsVolumed("image", field_of_view=None)({"image": MetaTensor(torch.rand(1, 12, 10))})
    assert tuple(picture["image"].shape) == (1, 12, 10, 1)
    assert torch.equal(InPlaneSpacingd("image")(picture)["image"], picture["image"])
