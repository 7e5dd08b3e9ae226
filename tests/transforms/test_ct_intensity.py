"""Tests of the common scale, from 0 to 1, of HU and of 2-D images of unknown scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from data_prep.phantom_lung import lung_phantom
from s3net_monai.transforms import CTIntensityd
from s3net_monai.transforms.ct_intensity import unknown_scale_to_hu


def two_tone(dark: float, bright: float, surround: float, shape: tuple[int, ...] = (40, 60)) -> np.ndarray:
    """Return a dark left and a bright right half in an ellipse of 0.8 half widths."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[:2]), indexing="ij")
    image = np.where(x**2 + y**2 < 0.64, np.where(x < 0, dark, bright), surround)
    return np.broadcast_to(image.reshape(*shape[:2], *[1] * (len(shape) - 2)), shape)[None].copy()


@pytest.mark.parametrize("dtype", [torch.int16, torch.float32, torch.float64])
def test_hounsfield_units_are_scaled_and_clipped(dtype: torch.dtype) -> None:
    image = torch.tensor([-3024, -1000, -650, -300, 40, 400, 3071], dtype=dtype).reshape(1, 7, 1)
    result = CTIntensityd("image")({"image": image, "case_id": "a"})
    expected = [0, 0, 0.25, 0.5, 1040 / 1400, 1, 1]
    np.testing.assert_allclose(result["image"].flatten(), expected, atol=1e-6)
    assert result["case_id"] == "a"
    assert image[0, 0, 0] == -3024  # the input stays as it is


def test_window_is_a_setting() -> None:
    image = torch.tensor([-900.0, -500.0, 0.0, 100.0]).reshape(1, 4, 1)
    result = CTIntensityd("image", low=-500, high=0)({"image": image})["image"]
    np.testing.assert_allclose(result.flatten(), [0, 0, 1, 1])


@pytest.mark.parametrize("surround", [0.0, 90.0, 255.0])
@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_unknown_scale_depends_on_the_two_classes_alone(shape: tuple[int, ...], surround: float) -> None:
    slope, intercept = unknown_scale_to_hu(two_tone(50, 150, surround, shape))
    assert slope == pytest.approx(8.9)
    assert 50 * slope + intercept == pytest.approx(-850)
    assert 150 * slope + intercept == pytest.approx(40)


@pytest.mark.parametrize("depth", [(), (2,)])
def test_lung_and_tissue_get_their_usual_intensity(depth: tuple[int, ...]) -> None:
    """Air and lung are equally dark, 50 in a body of 150, but only the air is joined to the border."""
    plane = torch.full((40, 40), 50.0)
    plane[3:37, 3:37] = 150
    plane[12:28, 12:28] = 50
    image = plane.reshape(1, 40, 40, *[1] * len(depth)).expand(1, 40, 40, *depth)
    result = CTIntensityd("image")({"image": image})["image"]
    np.testing.assert_allclose(result[:, 12:28, 12:28], 150 / 1400, atol=1e-6)
    np.testing.assert_allclose(result[image == 150], 1040 / 1400, atol=1e-6)
    assert not result[:, :3].any()
    assert not result[:, :, 37:].any()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_an_exported_chest_is_scaled_close_to_its_hu(dtype: torch.dtype) -> None:
    image, _, _ = lung_phantom((96, 96, 3), seed=2)
    exported = torch.from_numpy((image.clip(-1000, 200) + 1000) / 1200 * 255).round().to(dtype)[None]
    transform = CTIntensityd("image")
    result, truth = (transform({"image": scan})["image"] for scan in (exported, torch.from_numpy(image)[None]))
    body = truth < 1200 / 1400  # where the export has not clipped
    assert (result - truth)[body].abs().mean() < 0.06


@pytest.mark.parametrize("value", [0.0, 200.0, -1000.0])
@pytest.mark.parametrize("shape", [(1, 16, 20), (1, 16, 20, 3), (1, 2, 2), (1, 1, 9, 4)])
def test_an_image_of_one_value_is_all_air(shape: tuple[int, ...], value: float) -> None:
    result = CTIntensityd("image")({"image": torch.full(shape, value)})["image"]
    assert result.shape == shape
    assert not result.any()


def test_metadata_stay() -> None:
    affine = torch.diag(torch.tensor([-0.7, 0.8, 5, 1], dtype=torch.float64))
    image = MetaTensor(torch.rand(1, 8, 9, 4) * 100, affine=affine, meta={"filename_or_obj": "a.nii"})
    image.applied_operations = [{"class": "Orientation"}]
    result = CTIntensityd("image")({"image": image})["image"]
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, affine)
    assert result.meta["filename_or_obj"] == "a.nii"
    assert result.applied_operations == image.applied_operations


def test_builds_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.CTIntensityd", "keys": ["image"], "low": -500, "high": 500}
    result = ConfigParser({"scale": config}).get_parsed_content("scale")({"image": torch.tensor([[[-500.0, 0.0]]])})
    assert result["image"].tolist() == [[[0.0, 0.5]]]


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low is 40.0 HU and high 40.0 HU, expected low < high"):
        CTIntensityd("image", low=40.0, high=40.0)


def test_black_around_a_small_body_is_ignored() -> None:
    """The display window shows lung as 90; the black surround would pull the dark class far below it."""
    image = np.zeros((1, 60, 60))
    image[:, 12:48, 12:48] = 230
    image[:, 20:40, 20:40] = 90
    slope, intercept = unknown_scale_to_hu(image)
    assert 90 * slope + intercept == pytest.approx(-850)
    assert 230 * slope + intercept == pytest.approx(40)


def test_black_around_a_body_without_air_counts_as_air() -> None:
    """Soft tissue and fat with a normal distribution must not be split into tissue and lung."""
    image = np.zeros((1, 60, 60))
    image[:, 12:48, 12:48] = np.random.default_rng(0).normal(200, 8, (36, 36))
    slope, intercept = unknown_scale_to_hu(image)
    assert intercept == pytest.approx(-850)
    assert 200 * slope + intercept == pytest.approx(40, abs=2)
