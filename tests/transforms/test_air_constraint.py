"""Tests of where the rules on air change a lung probability, and of where they do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from s3net_monai.transforms import ConstrainToAird, constrain_to_air


def chest(depth: int = 2) -> np.ndarray:
    """Return a body (40, 40, depth) of 0.75 in air of 0, with two lungs of 0.12.

    Each lung has 10 x 20 voxels per slice.
    """
    image = np.zeros((40, 40, depth))
    image[2:38, 6:34] = 0.75
    image[6:16, 10:30] = image[24:34, 10:30] = 0.12
    return image


def lungs(image: np.ndarray) -> np.ndarray:
    return np.isclose(image, 0.12)


def test_a_mask_that_fits_is_not_changed() -> None:
    image = chest()
    probability = np.where(lungs(image), 0.8, 0.3)
    expected = np.where(image == 0, 0, probability)
    np.testing.assert_array_equal(constrain_to_air(probability, image), expected)


@pytest.mark.parametrize(("rows", "is_lung"), [(6, True), (5, False)])
def test_a_region_of_air_is_lung_if_three_tenths_are(rows: int, is_lung: bool) -> None:
    image = chest()
    probability = np.zeros_like(image)
    probability[6:16, 10 : 10 + rows, 0] = 0.9  # of one lung of 20 rows, in one slice of two
    result = constrain_to_air(probability, image) > 0.5
    expected = probability > 0.5
    expected[6:16, 10:30, 0] |= is_lung
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("value", "is_lung"), [(0.36, True), (0.34, False)])
def test_a_likely_part_suffices_for_a_region_of_air(value: float, is_lung: bool) -> None:
    image = chest()
    probability = np.where(lungs(image), value, 0.0)
    np.testing.assert_array_equal(constrain_to_air(probability, image) > 0.5, lungs(image) & is_lung)


def test_vessels_and_consolidation_in_the_mask_stay() -> None:
    image = chest()
    image[8:12, 12:16] = 0.75
    probability = np.where(lungs(chest()), 0.9, 0.0)
    np.testing.assert_array_equal(constrain_to_air(probability, image), probability)


def test_air_outside_the_body_and_regions_mostly_in_it_go() -> None:
    image = chest()
    probability = np.where(lungs(image), 0.9, 0.0)
    expected = probability.copy()
    probability[10:20, 2:7] = 0.9  # five rows, four of them in the air in front of the chest
    np.testing.assert_array_equal(constrain_to_air(probability, image), expected)


def test_lung_that_the_field_of_view_cuts_stays() -> None:
    image = chest()
    image[:16, 10:30] = 0.12  # open to the border, but not as empty as free air
    probability = np.where(lungs(image), 0.9, 0.0)
    np.testing.assert_array_equal(constrain_to_air(probability, image), probability)


def test_enclosed_gas_goes() -> None:
    image = chest()
    probability = np.where(lungs(image), 0.9, 0.0)
    image[18:22, 14:18] = 0.01  # a trachea between the lungs
    with_trachea = np.where(image == 0.01, 0.9, probability)
    np.testing.assert_array_equal(constrain_to_air(with_trachea, image), probability)


@pytest.mark.parametrize(("columns", "gas"), [(10, True), (22, False)])
def test_an_empty_region_goes_if_most_air_is_denser(columns: int, gas: bool) -> None:
    """A stomach of 100 voxels lies below a lung of 200; one of 220 may be an emphysematous lung beside a dense one."""
    image = chest()
    image[24:34, 8:32] = 0.75
    image[24:34, 8 : 8 + columns] = 0.02
    probability = np.where((image == 0.02) | lungs(image), 0.9, 0.0)
    result = constrain_to_air(probability, image)
    np.testing.assert_array_equal(result, np.where(lungs(image) | (not gas), probability, 0))


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_rotates_with_the_slice(quarter_turns: int) -> None:
    image = chest()
    probability = np.random.default_rng(0).random(image.shape)
    rotated = constrain_to_air(np.rot90(probability, quarter_turns), np.rot90(image, quarter_turns))
    np.testing.assert_array_equal(rotated, np.rot90(constrain_to_air(probability, image), quarter_turns))


@pytest.mark.parametrize(("pixel_size", "is_lung"), [(3.0, True), (2.0, False)])
def test_less_than_15_square_centimeters_is_no_lung(pixel_size: float, is_lung: bool) -> None:
    """One lung of 200 voxels in a single slice has 1800 mm2 or 800 mm2."""
    image = torch.from_numpy(chest(1))
    image[24:34, 10:30] = 0.75
    probability = torch.where(image == 0.12, 0.9, 0.0)[None]
    scan = MetaTensor(
        image[None], affine=torch.diag(torch.tensor([-pixel_size, pixel_size, 5.0, 1.0], dtype=torch.float64))
    )
    result = ConstrainToAird("pred")({"image": scan, "pred": probability})["pred"]
    assert torch.equal(result, probability if is_lung else torch.zeros_like(probability))


def test_type_and_metadata_stay_and_input_is_not_changed() -> None:
    affine = torch.diag(torch.tensor([-2.0, -2.0, 4.0, 1.0], dtype=torch.float64))
    scan = MetaTensor(torch.from_numpy(chest())[None], affine=affine)
    probability = MetaTensor(torch.full(scan.shape, 0.6, dtype=torch.float16), affine=affine, meta={"name": "a"})
    sample = {"image": scan, "pred": probability, "case_id": "a"}
    transform = ConfigParser({"step": {"_target_": "s3net_monai.transforms.ConstrainToAird", "keys": "pred"}})
    result = transform.get_parsed_content("step")(sample)
    assert isinstance(result["pred"], MetaTensor)
    assert result["pred"].dtype == torch.float16
    assert result["pred"].meta["name"] == "a"
    assert torch.equal(result["pred"].affine, affine)
    assert result["case_id"] == "a"
    assert (probability == torch.tensor(0.6, dtype=torch.float16)).all()
    assert (result["pred"] != probability).any()


def test_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^pred is \(1, 4, 4, 2\), expected \(1, 4, 4, 3\) as the image$"):
        ConstrainToAird("pred")({"image": MetaTensor(torch.zeros(1, 4, 4, 3)), "pred": torch.zeros(1, 4, 4, 2)})
