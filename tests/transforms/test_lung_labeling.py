"""Tests of the labeling functions and of the weak label of the lungs."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.phantom_lung import lung_phantom
from s3net_monai.transforms.lung_labeling import (
    air_inside_body,
    close_gaps,
    enclosed_gas,
    lung_components,
    lung_weak_label,
)


def volume(shape: tuple[int, int, int]) -> np.ndarray:
    return np.zeros(shape, dtype=bool)


def scaled(hounsfield: np.ndarray) -> np.ndarray:
    return ((hounsfield.astype(np.float32) + 1000) / 1400).clip(0, 1)[None]


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_air_joined_to_the_border_of_its_slice_is_outside() -> None:
    air = volume((12, 14, 3))
    air[0, :] = True  # around the patient, in every slice
    air[4:7, 4:7] = True  # inside
    air[1:4, 5, 1] = True  # a path to the border in the middle slice alone
    expected = volume((12, 14, 3))
    expected[4:7, 4:7, [0, 2]] = True
    np.testing.assert_array_equal(air_inside_body(air), expected)


def test_first_and_last_slice_are_not_a_border() -> None:
    air = volume((9, 9, 2))
    air[3:6, 3:6] = True
    np.testing.assert_array_equal(air_inside_body(air), air)


def test_small_and_empty_components_are_not_lung() -> None:
    image = np.ones((30, 30, 8), dtype=np.float32)
    left, right, small, gas = (volume(image.shape) for _ in range(4))
    left[2:12, 2:12, :] = True  # 800 voxels
    right[15:20, 2:6, 2:6] = True  # 80, just a tenth
    small[22:25, 2:5, :8] = True  # 72
    gas[15:25, 15:25, :] = True  # 800, as empty as free air
    for mask, level in ((left, 0.2), (right, 0.1), (small, 0.2), (gas, 0.09)):
        image[mask] = level
    np.testing.assert_array_equal(lung_components(image, left | right | small | gas), left | right)


def test_components_span_slices_and_may_be_missing() -> None:
    mask = volume((10, 10, 40))
    mask[4, 4, :] = True  # one voxel in every slice, 40 in all
    mask[6:8, 6:8, 0] = True  # 4: a tenth
    mask[0, 0, 0] = True
    lungs = lung_components(np.full(mask.shape, 0.2), mask)
    np.testing.assert_array_equal(mask ^ lungs, np.arange(mask.size).reshape(mask.shape) == 0)
    assert not lung_components(np.zeros((4, 4, 4)), volume((4, 4, 4))).any()


def test_gaps_of_twice_the_radius_are_closed_per_slice() -> None:
    mask = volume((40, 40, 3))
    mask[5:35, 5:35, 1] = True
    without_vessel = mask.copy()
    mask[5:35, 20:24, 1] = False  # a vessel of four voxels that crosses the lung
    np.testing.assert_array_equal(close_gaps(mask, 2)[..., 0], mask[..., 0])
    assert close_gaps(mask, 2)[8:32, :, 1].sum() == without_vessel[8:32, :, 1].sum()
    np.testing.assert_array_equal(close_gaps(mask, 1), mask)


def test_holes_up_to_a_hundredth_of_the_slice_are_filled() -> None:
    mask = volume((40, 40, 2))
    mask[5:35, 5:35] = True
    mask[10:14, 10:15, 0] = mask[10:13, 10:17, 1] = False
    mask[10:14:3, 10:15:4, 0] = mask[10:13:2, 10:17:6, 1] = True  # no corners, which a closing would fill
    assert [np.sum(~mask[5:35, 5:35, z]) for z in (0, 1)] == [16, 17]  # 40 * 40 / 100 is 16
    filled = close_gaps(mask, 1)
    assert filled[5:35, 5:35, 0].all()
    np.testing.assert_array_equal(filled[..., 1], mask[..., 1])


def test_closing_does_not_extend_at_the_border() -> None:
    mask = volume((20, 20, 1))
    mask[0:6, 0:6] = True
    np.testing.assert_array_equal(close_gaps(mask, 3), mask)


def disc(center: tuple[int, int], radius: float) -> np.ndarray:
    x, y = np.indices((60, 60))
    return np.hypot(x - center[0], y - center[1]) < radius


def test_enclosed_gas_is_found_and_a_bulla_stays_lung() -> None:
    lung, stomach, trachea, bulla, crack = (volume((60, 60, 2)) for _ in range(5))
    lung[5:55, 5:30] = True
    stomach[..., 0] = disc((30, 45), 8)
    trachea[..., 1] = disc((15, 45), 2.5)
    bulla[..., 1] = disc((30, 17), 4)
    crack[50, 33:55, 0] = True  # a fissure of one voxel is no gas
    image = np.full(lung.shape, 0.8)
    image[lung] = 0.2
    image[stomach | trachea | bulla | crack] = 0.01
    np.testing.assert_array_equal(enclosed_gas(image, lung | stomach | trachea | crack), stomach | trachea)


def test_the_border_of_gas_is_included_but_tissue_is_not() -> None:
    """The smooth border of the gas, two voxels wide, is brighter than free air."""
    lung, gas, border = (volume((60, 60, 1)) for _ in range(3))
    lung[5:55, 5:30] = True
    gas[20:30, 40:50] = True
    border[18:32, 38:52] = True
    image = np.full(lung.shape, 0.8)
    image[lung] = image[border] = 0.2
    image[gas] = 0.01
    result = enclosed_gas(image, lung | border)
    assert result[gas].all()
    assert result[18:32, 45].all()
    assert not result[lung].any()
    assert not enclosed_gas(image, lung | gas)[border & ~gas].any()


@pytest.mark.parametrize(("columns", "detected"), [(18, False), (25, True)])
def test_gas_is_detected_while_it_is_at_most_a_fifth(columns: int, detected: bool) -> None:
    lung, gas = volume((60, 60, 1)), volume((60, 60, 1))
    lung[5:25, 5 : 5 + columns] = True  # 360 or 500 voxels
    gas[40:50, 40:50] = True  # 100
    image = np.where(gas, 0.01, 0.2)
    np.testing.assert_array_equal(enclosed_gas(image, lung | gas), gas & detected)


def test_lung_as_dark_as_gas_hides_gas() -> None:
    gas = volume((60, 60, 1))
    gas[40:44, 40:44] = True
    lung = volume(gas.shape)
    lung[5:55, 5:30] = True
    image = np.where(gas, 0.01, 0.049)
    assert not enclosed_gas(image, gas | lung).any()
    assert enclosed_gas(image, gas | lung, darkness=0.04)[gas].all()
    assert not enclosed_gas(image, volume(gas.shape)).any()


@pytest.fixture(scope="module")
def chest() -> tuple[np.ndarray, np.ndarray]:
    image, truth, _ = lung_phantom((80, 80, 48), seed=1)
    return image, truth > 0


def test_weak_label_finds_the_lungs_of_a_phantom(chest: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = chest
    weak_label = lung_weak_label(scaled(image))
    assert weak_label.shape == truth.shape
    assert weak_label.dtype == np.float32
    np.testing.assert_allclose(weak_label * 6, np.round(weak_label * 6), atol=1e-5)
    assert dice(weak_label > 0.5, truth) > 0.95
    assert truth[weak_label == 1].mean() > 0.97
    assert truth[weak_label == 0].mean() < 0.01


def test_weak_label_of_one_slice(chest: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = chest
    middle = slice(24, 25)
    assert dice(lung_weak_label(scaled(image[..., middle])) > 0.5, truth[..., middle]) > 0.93


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_image_gives_an_empty_weak_label(value: float) -> None:
    weak_label = lung_weak_label(np.full((1, 12, 14, 3), value, dtype=np.float32))
    np.testing.assert_array_equal(weak_label, np.zeros((12, 14, 3)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("slices", [1, 3, 4])
def test_a_body_without_air_gives_an_empty_weak_label(slices: int) -> None:
    body = np.zeros((1, 24, 24, slices), dtype=np.float32)
    body[:, 4:20, 4:20] = 1
    np.testing.assert_array_equal(lung_weak_label(body), np.zeros((24, 24, slices)))


def test_noise_in_free_air_has_no_majority() -> None:
    """Otsu's threshold splits any image; the two thresholds in HU do not."""
    noise = np.random.default_rng(0).random((1, 24, 24, 4)).astype(np.float32)
    assert lung_weak_label(0.01 * noise).max() < 0.5
