"""Tests of the selection of components and of the soft map around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from scipy import ndimage

from s3net_monai.transforms import KeepCentralComponentd, KeepLargestComponentsd, ResampleToSpacingd
from s3net_monai.transforms.components import closed_central_component, large_components
from s3net_monai.transforms.skin_labeling import central_component


def select(probability: torch.Tensor, rule: str) -> torch.Tensor:
    transform = {"central": KeepCentralComponentd, "large": KeepLargestComponentsd}[rule]
    return transform("pred")({"pred": probability})["pred"]


def lungs() -> tuple[np.ndarray, np.ndarray]:
    """Return masks of a large, a collapsed and a spurious component, and of the first two."""
    mask = np.zeros((30, 30, 6), dtype=bool)
    mask[2:12, 2:12] = True  # 600
    mask[20:25, 2:14, 2] = True  # 60, just a tenth
    expected = mask.copy()
    mask[20:25, 20:25, 1:3] = True  # 50
    mask[20:25, 25:29, 1] = mask[20, 20, 3:6] = True  # 73 in all
    mask[21:25, 25:29, 1] = False  # 57
    return mask, expected


def test_large_components_are_a_tenth_of_the_largest() -> None:
    mask, expected = lungs()
    np.testing.assert_array_equal(large_components(mask), expected)
    np.testing.assert_array_equal(large_components(mask, min_fraction=0.09), mask)
    assert not large_components(np.zeros((4, 4, 4), dtype=bool)).any()


def test_holes_are_filled_slice_by_slice() -> None:
    mask = np.zeros((12, 12, 4), dtype=bool)
    mask[2:10, 2:10] = True
    filled = mask.copy()
    mask[4:7, 4:7] = False  # a tunnel through all slices is a hole in each slice, but not in the volume
    assert np.array_equal(ndimage.binary_fill_holes(mask), mask)
    np.testing.assert_array_equal(large_components(mask), filled)


def test_largest_components_of_a_probability() -> None:
    mask, expected = lungs()
    result = select(torch.from_numpy(mask)[None] * 0.9, "large")
    np.testing.assert_array_equal(result[0] > 0.5, expected)


def soft_disc(center: tuple[int, int], radius: int) -> np.ndarray:
    """Return an image of 1 in the middle, 0.5 at ``radius`` and 0 four pixels further out."""
    x, y = np.indices((64, 64))
    return (0.5 + (radius - np.hypot(x - center[0], y - center[1])) / 8).clip(0, 1)


def test_the_rim_of_a_dropped_component_is_removed_with_it() -> None:
    central, spurious = soft_disc((30, 34), 10), soft_disc((8, 10), 6)
    result = select(torch.from_numpy(central + spurious)[None], "central")[0]
    steps = ndimage.distance_transform_cdt(spurious <= 0.5, metric="taxicab")
    np.testing.assert_array_equal(result, np.where(steps <= 2, 0, central + spurious))
    assert (spurious[steps == 2] > 0.2).all()  # a soft rim that thresholding at 0.5 alone would leave
    assert result[spurious > 0].max() < 0.4


def test_notches_are_closed_up_to_the_radius() -> None:
    lesion = np.zeros((64, 64), dtype=bool)
    lesion[20:44, 16:48] = True
    notched = lesion.copy()
    notched[20:28, 30:34] = False  # 4 wide: a disc of radius 8 cannot enter
    still_open = lesion & ~closed_central_component(notched, closing_radius=0.125)
    assert still_open.sum() <= 4
    assert not still_open[21:].any()  # the disc sags by less than a pixel at the mouth
    np.testing.assert_array_equal(closed_central_component(notched, closing_radius=1 / 128), notched)
    wide = lesion.copy()
    wide[20:26, 22:42] = False
    closed = closed_central_component(wide, closing_radius=0.125)
    assert (wide <= closed).all()
    assert not closed[21, 32]
    assert not closed_central_component(np.zeros((8, 8), dtype=bool)).any()


def test_closing_neither_leaves_the_image_nor_joins_its_border() -> None:
    lesion = np.zeros((32, 32), dtype=bool)
    lesion[2:30, 10:20] = True
    np.testing.assert_array_equal(closed_central_component(lesion), lesion)


def test_the_rim_of_the_selected_component_stays_soft() -> None:
    central = torch.from_numpy(soft_disc((30, 34), 10))[None]
    assert torch.equal(select(central, "central"), central)


@pytest.mark.parametrize(("rule", "shape"), [("central", (1, 20, 20)), ("large", (1, 20, 20, 2))])
def test_holes_become_foreground_and_other_voxels_stay(rule: str, shape: tuple[int, ...]) -> None:
    probability = torch.zeros(shape)
    probability[:, 4:16, 4:16] = 0.6
    probability[:, 8:10, 8:10] = 0.1
    probability[:, 10, 8] = 0.5  # not above the threshold, so part of the hole
    expected = probability.clone()
    expected[:, 8:10, 8:10] = expected[:, 10, 8] = 0.75
    assert torch.equal(select(probability, rule), expected)


@pytest.mark.parametrize("rule", ["central", "large"])
def test_an_empty_mask_stays_empty(rule: str) -> None:
    probability = torch.rand(1, 9, 9, 3) * 0.5
    assert torch.equal(select(probability, rule), probability)


def test_input_and_other_items_are_not_changed() -> None:
    probability = torch.from_numpy(soft_disc((8, 10), 6) + soft_disc((30, 34), 10))[None]
    original = probability.clone()
    result = KeepCentralComponentd(["pred"])({"pred": probability, "case_id": "a"})
    assert torch.equal(probability, original)
    assert not torch.equal(result["pred"], original)
    assert result["case_id"] == "a"


def test_the_result_can_be_inverted() -> None:
    affine = torch.diag(torch.tensor([-1.5, -1.5, 4, 1], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([40, 50, -30])
    preprocessing = Compose([ResampleToSpacingd("image", pixdim=(2.0, 2.0, 2.0))])
    source = torch.zeros(1, 40, 40, 10)
    source[:, 8:20, 8:20] = source[:, 26:29, 26:29, 3:5] = 1
    sample = preprocessing({"image": MetaTensor(source, affine=affine)})
    sample["pred"] = sample["image"].clone()
    sample = KeepLargestComponentsd("pred")(sample)
    assert isinstance(sample["pred"], MetaTensor)
    result = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=False)(sample)["pred"]
    assert result.shape == source.shape
    torch.testing.assert_close(result.affine, affine)
    source[:, 26:29, 26:29] = 0
    assert ((result > 0.5) != (source > 0.5)).float().mean() < 0.01
    assert not (result[:, 23:] > 0.5).any()


def test_builds_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.KeepCentralComponentd", "keys": "pred"}
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    assert transform({"pred": torch.zeros(1, 5, 5)})["pred"].shape == (1, 5, 5)


def test_air_at_the_border_is_dropped_unless_it_is_the_largest() -> None:
    mask = np.zeros((12, 12, 2), dtype=bool)
    mask[4:8, 4:8] = True  # inside: 32 voxels
    mask[0:2, 3:9] = True  # at the border: 24 voxels
    assert np.array_equal(large_components(mask), np.where(np.indices(mask.shape)[0] >= 3, mask, False))
    mask[0:2, 0:12] = True  # now 48: the field of view cuts the lung
    assert np.array_equal(large_components(mask), mask)


@pytest.mark.parametrize("seed", range(3))
def test_closing_in_the_box_of_a_component_is_that_on_the_whole_plane(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(generator.standard_normal((48, 60)), 3) > 0.02
    component = central_component(mask)
    margin = 60  # far beyond the disc
    dilated = ndimage.distance_transform_edt(~np.pad(component, margin)) <= 0.25 * 48
    closed = (ndimage.distance_transform_edt(dilated) > 0.25 * 48)[margin:-margin, margin:-margin]
    result = closed_central_component(mask)
    np.testing.assert_array_equal(result, ndimage.binary_fill_holes(component | closed))
    assert result.sum() > component.sum()
