"""``SmoothResized`` gives what MONAI's ``Resized`` with anti-aliasing gives, in a part of its memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Resize, Resized

from s3net_monai.transforms import InPlaneSpacingd, SmoothResized, in_plane_spacing, smooth_resize
from s3net_monai.transforms.smooth_resize import resize_smoothly

SHAPES = [(3, 300, 211), (3, 41, 260), (1, 128, 129), (3, 60, 50), (3, 1, 300)]


def picture(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_monai(shape: tuple[int, ...]) -> None:
    image = picture(*shape)
    expected = Resize((64, 48), mode="bilinear", anti_aliasing=True)(image.float())
    result = resize_smoothly(image, (64, 48))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, torch.as_tensor(expected).as_subclass(torch.Tensor), rtol=0, atol=2e-4)


@pytest.mark.parametrize(("length", "new"), [(90, 20), (20, 20), (1, 3), (7, 19)])
def test_each_line_is_a_sum_of_smoothed_neighbors(length: int, new: int) -> None:
    """As written down line by line: a Gaussian around both lines between which a line of the result lies."""
    spread = max(0.0, (length / new - 1) / 2)
    image = picture(2, length, 5)
    padded = np.pad(image.numpy().astype(np.float64), ((0, 0), (length, length), (0, 0)))
    expected = np.zeros((2, new, 5))
    for line in range(new):
        between = max(0.0, (line + 0.5) * length / new - 0.5)
        before = min(int(between), length - 1)
        after = min(before + 1, length - 1)
        for center, share in ((before, 1 - (between - before)), (after, between - before)):
            for offset in range(-round(4 * spread), round(4 * spread) + 1):
                edges = [(offset + side) / (spread * 2**0.5) for side in (-0.5, 0.5)] if spread else [-9.0, 9.0]
                weight = (math.erf(edges[1]) - math.erf(edges[0])) / 2
                expected[:, line] += share * weight * padded[:, length + center + offset]
    np.testing.assert_allclose(smooth_resize._shortened(image, new).numpy(), expected, atol=2e-3)


def test_one_bright_pixel_spreads_by_the_gaussian() -> None:
    image = torch.zeros(1, 90, 90)
    image[0, 46, 46] = 900  # the middle of the nine pixels of (15, 15)
    small = resize_smoothly(image, (30, 30))[0]
    share = math.erf(0.5 / 2**0.5)  # of a Gaussian of (3 - 1) / 2 pixels that falls upon its middle pixel
    assert small[15, 15] == pytest.approx(900 * share**2, rel=1e-4)


def test_geometry_and_inverse_are_those_of_monai() -> None:
    affine = torch.diag(torch.tensor([-0.5, -0.25, 1.0, 1.0], dtype=torch.float64))
    image = MetaTensor(picture(3, 200, 150), affine=affine, meta={"spacing": (0.25, 0.5)})
    ours, theirs = SmoothResized("image", (64, 48)), Resized("image", (64, 48), mode="bilinear", anti_aliasing=True)
    small, expected = ours({"image": image}), theirs({"image": image})
    torch.testing.assert_close(small["image"].affine, expected["image"].affine)
    assert small["image"].meta["spacing"] == (0.25, 0.5)
    back, expected = ours.inverse(small), theirs.inverse(expected)
    torch.testing.assert_close(back["image"].as_tensor(), expected["image"].as_tensor(), rtol=0, atol=1e-3)
    torch.testing.assert_close(back["image"].affine, affine, rtol=0, atol=0)
    assert not back["image"].applied_operations
    torch.testing.assert_close(image.affine, affine)


def test_slices_of_large_volumes_are_resampled_as_those_of_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    affine = torch.diag(torch.tensor([0.5, 0.7, 8.0, 1.0], dtype=torch.float64))
    volume = MetaTensor(torch.rand(1, 150, 130, 3, generator=torch.Generator().manual_seed(1)), affine=affine)
    spacing = InPlaneSpacingd("image")
    expected = spacing({"image": volume})["image"]
    monkeypatch.setattr(in_plane_spacing, "MAX_AT_ONCE", 0)
    sample = spacing({"image": volume})
    torch.testing.assert_close(sample["image"].as_tensor(), expected.as_tensor(), rtol=0, atol=1e-5)
    torch.testing.assert_close(sample["image"].affine, expected.affine)
    assert spacing.inverse(sample)["image"].shape == volume.shape
