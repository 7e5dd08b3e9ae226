"""Measures against values computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.measure import regionprops

from s3net_monai.inference.report.lesion_shape import asymmetry, border_irregularity, diameter
from s3net_monai.inference.report.lung_sides import left_right_ml
from s3net_monai.inference.report.measures import MEASURES, measure_warnings, measures
from s3net_monai.io import Code, Label
from s3net_monai.tasks import TASKS

LUNG, SKIN = TASKS["lung"], TASKS["skin"]
CODE = Code("1", "x")
TWO = replace(
    LUNG,
    labels=(
        Label(value=1, name="a", rgb=(0, 0, 0), category=CODE, type=CODE),
        Label(value=2, name="b", rgb=(0, 0, 0), category=CODE, type=CODE),
    ),
    special_measures={},
)
RAS = np.diag([1.0, 1.0, 1.0, 1.0])
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def disc(radius: float, size: int = 101) -> np.ndarray:
    x, y = np.ogrid[:size, :size]
    return (x - size // 2) ** 2 + (y - size // 2) ** 2 <= radius**2


def ball(shape: tuple[int, int, int], center: tuple[int, int, int], radius: float) -> np.ndarray:
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2 <= radius**2


# Sizes


def test_volume_is_voxels_times_their_size_when_rotated() -> None:
    mask = np.zeros((4, 4, 4), dtype=np.uint8)
    mask[:2, :2, :2] = 1
    rotated = np.array([[0, -2.0, 0, 0], [0.5, 0, 0, 0], [0, 0, -10, 0], [0, 0, 0, 1]])
    values = measures(mask, rotated, LUNG)
    assert values["volume_ml"] == 0.08
    assert values["fraction"] == 0.125
    assert "mean_hu" not in values


def test_area_is_in_pixels_and_in_mm_where_spacing_is_known() -> None:
    mask = np.zeros((10, 8), dtype=np.uint8)
    mask[2:8, 3:5] = 1  # 6 columns wide, 2 rows high
    values = measures(mask, np.eye(4), SKIN)
    assert values["area_px"] == 12
    assert values["fraction"] == 0.15
    assert "area_mm2" not in values
    in_mm = measures(mask, np.eye(4), SKIN, spacing=(0.5, 2.0))  # rows 0.5 mm apart, columns 2 mm apart
    assert in_mm["area_mm2"] == 12.0
    assert in_mm["diameter_px"] == pytest.approx(np.hypot(6, 1), abs=1e-3)  # from edge to edge, row to row
    assert in_mm["diameter_mm"] == pytest.approx(np.hypot(6 * 2.0, 1 * 0.5), abs=1e-3)


def test_every_class_gets_its_own_measures() -> None:
    assert measures(np.array([[1, 2], [2, 0]]), np.eye(4), TWO)["area_px"] == {"a": 1, "b": 2}
    mask = np.zeros((2, 2, 2), dtype=np.uint8)
    mask[0], mask[1, 0] = 1, 2
    image = np.where(mask == 1, -100, 50)
    values = measures(mask, np.eye(4), TWO, image=image)
    assert values["mean_hu"] == {"a": -100.0, "b": 50.0}
    assert "left_ml" not in values
    lung_and_other = replace(LUNG, labels=(*LUNG.labels, TWO.labels[1]))
    assert measures(mask, np.eye(4), lung_and_other)["left_ml"] == {"lung": None}


def test_every_measure_has_a_heading() -> None:
    ct = measures(np.ones((2, 2, 2), np.uint8), np.eye(4), LUNG, image=np.zeros((2, 2, 2)))
    image_2d = measures(np.ones((2, 2), np.uint8), np.eye(4), SKIN, spacing=(1.0, 1.0))
    assert {*ct, *image_2d} == set(MEASURES)


# Hounsfield values


def test_mean_and_median_hu_do_not_depend_on_memory_order() -> None:
    image = np.full((3, 4, 5), 1000, dtype=np.int16)
    mask = np.zeros((3, 4, 5), dtype=np.uint8)
    mask[1, 1:4, 2] = 1
    image[1, 1:4, 2] = [-900, -800, -100]
    for stored in (image, np.asfortranarray(image)):
        values = measures(mask, np.eye(4), LUNG, image=stored)
        assert (values["mean_hu"], values["median_hu"]) == (-600.0, -800.0)


def test_values_that_are_not_finite_are_ignored() -> None:
    image = np.array([-900.0, np.nan, -700.0, np.inf]).reshape(4, 1, 1)
    mask = np.ones((4, 1, 1), dtype=np.uint8)
    assert measures(mask, np.eye(4), LUNG, image=image)["mean_hu"] == -800.0
    assert measures(mask, np.eye(4), LUNG, image=np.full((4, 1, 1), np.nan))["median_hu"] is None


# Left and right lung


@pytest.mark.parametrize(
    ("affine", "low_x_is"),
    [
        (RAS, "left"),
        (LPS, "right"),
        (np.diag([0.7, 0.7, 5.0, 1.0]), "left"),
        (np.diag([-3.0, 2.0, -4.0, 1.0]), "right"),
    ],
)
def test_two_balls_are_left_and_right_by_the_patient(affine: np.ndarray, low_x_is: str) -> None:
    low, high = ball((60, 30, 30), (14, 15, 15), 10), ball((60, 30, 30), (44, 15, 15), 8)
    voxel = abs(np.linalg.det(affine)) / 1000
    expected = (low.sum() * voxel, high.sum() * voxel)
    assert left_right_ml(low | high, affine) == pytest.approx(expected if low_x_is == "left" else expected[::-1])


def test_sides_follow_an_oblique_affine() -> None:
    angle = np.deg2rad(100)  # of the grid in the axial plane: the second axis runs nearly to the patient's left
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    low, high = ball((30, 60, 30), (15, 14, 15), 10), ball((30, 60, 30), (15, 44, 15), 8)
    left, right = left_right_ml(low | high, affine) or (0.0, 0.0)
    assert (left, right) == pytest.approx((high.sum() / 1000, low.sum() / 1000))


def test_lungs_that_touch_are_separated_at_their_neck() -> None:
    low, high = ball((80, 50, 50), (22, 25, 25), 20), ball((80, 50, 50), (58, 25, 25), 17)
    assert (low & high).any()
    left, right = left_right_ml(low | high, RAS) or (0.0, 0.0)
    assert left == pytest.approx(low.sum() / 1000, rel=0.03)
    assert right == pytest.approx(high.sum() / 1000, rel=0.03)
    assert left + right == pytest.approx((low | high).sum() / 1000)


def test_a_fragment_belongs_to_the_nearest_lung() -> None:
    low, high = ball((60, 30, 30), (14, 15, 15), 10), ball((60, 30, 30), (44, 15, 15), 10)
    fragment = np.zeros_like(low)
    fragment[57:59, 2:4, 2:4] = True
    left, right = left_right_ml(low | high | fragment, RAS) or (0.0, 0.0)
    assert right - left == pytest.approx(0.008)


@pytest.mark.parametrize(
    "centers",
    [[(15, 15, 15)], [(15, 15, 14), (15, 15, 44)], [(15, 14, 15), (15, 44, 15)]],
    ids=["one lung", "one above the other", "one before the other"],
)
def test_components_not_side_by_side_have_no_sides(centers: list[tuple[int, int, int]]) -> None:
    lung = np.any([ball((60, 60, 60), center, 10) for center in centers], axis=0)
    assert left_right_ml(lung, RAS) is None
    values = measures(lung.astype(np.uint8), RAS, LUNG)
    assert values["left_ml"] is None
    assert values["right_ml"] is None
    assert measure_warnings(values) == ["left and right lung could not be told apart"]


def test_the_left_of_real_lungs_is_smaller(real_data: object) -> None:
    import nibabel

    for number in (1, 2, 3):
        path = f"{real_data}/lung/volumes/id00{number}_lung.nii.gz"
        stored = nibabel.load(path)
        values = measures((np.asarray(stored.dataobj) > 0).astype(np.uint8), stored.affine, LUNG)
        assert 0.5 < values["left_ml"] / values["right_ml"] < 1.0
        assert values["left_ml"] + values["right_ml"] == pytest.approx(values["volume_ml"], abs=0.01)
        assert measure_warnings(values) == []


# Shape


def test_diameter_is_the_largest_feret_diameter() -> None:
    single, row = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    single[4, 4] = row[2, 1:8] = True
    assert diameter(single) == 1.0
    assert diameter(row) == 7.0
    assert diameter(row, (1.0, 0.5)) == 3.5
    assert diameter(disc(20)) == pytest.approx(41, abs=0.1)
    ragged = np.random.default_rng(0).random((40, 30)) > 0.9
    for shape in (disc(20), ragged):
        assert diameter(shape) == pytest.approx(regionprops(shape.astype(int))[0].feret_diameter_max, abs=1)


def test_symmetric_shapes_have_no_asymmetry() -> None:
    rectangle = np.zeros((30, 30), bool)
    rectangle[3:9, 4:25] = True
    assert asymmetry(rectangle) == 0.0
    assert asymmetry(disc(30)) == 0.0
    x, y = np.mgrid[-60:61, -60:61]
    along, across = x * 0.8 + y * 0.6, -x * 0.6 + y * 0.8  # an ellipse rotated off the grid
    assert asymmetry((along / 50) ** 2 + (across / 20) ** 2 <= 1) == pytest.approx(0, abs=0.02)


def test_an_l_of_three_pixels_has_one_axis_of_symmetry() -> None:
    # The diagonal through the corner is an axis of symmetry; folded about the other axis, the corner finds no partner.
    assert asymmetry(np.array([[1, 1], [1, 0]], bool)) == pytest.approx((0 + 1 / 3) / 2)


def test_asymmetry_is_that_of_a_loop_over_both_axes() -> None:
    generator = np.random.default_rng(3)
    shape = disc(9, size=23) & (generator.random((23, 23)) < 0.8)
    shape[:4, 10:16] = True
    points = np.argwhere(shape)
    center = points.mean(axis=0)
    _, axes = np.linalg.eigh((points - center).T @ (points - center))
    members = {tuple(point) for point in points.tolist()}
    fractions = []
    for axis in axes.T:
        images = [point - 2 * ((point - center) @ axis) * axis for point in points]
        fractions.append(np.mean([tuple(np.rint(image).astype(int).tolist()) not in members for image in images]))
    assert fractions[0] != fractions[1]
    assert asymmetry(shape) == pytest.approx(np.mean(fractions))


def test_asymmetry_ignores_position_size_and_rotation() -> None:
    shape = np.zeros((60, 60), bool)
    shape[5:50, 5:15] = shape[40:50, 5:40] = True
    value = asymmetry(shape)
    assert value is not None
    assert value > 0.1
    assert asymmetry(np.pad(shape, ((7, 0), (0, 9)))) == pytest.approx(value)
    assert asymmetry(np.rot90(shape)) == pytest.approx(value, abs=1e-9)
    assert asymmetry(shape.repeat(20, axis=0).repeat(20, axis=1)) == pytest.approx(value, abs=0.02)


def test_border_irregularity_is_one_for_a_disc() -> None:
    assert border_irregularity(disc(45)) == pytest.approx(1.0, abs=0.02)
    bar = np.zeros((110, 30), bool)
    bar[5:105, 5:25] = True
    assert border_irregularity(bar) == pytest.approx(240**2 / (4 * np.pi * 2000), rel=0.15)
    x, y = np.mgrid[-50:51, -50:51]
    star = np.hypot(x, y) <= 30 + 10 * np.sin(12 * np.arctan2(y, x))
    assert (border_irregularity(star) or 0) > 2
    filled = np.ones((50, 50), bool)  # to the edge of the image
    assert border_irregularity(filled) == pytest.approx(4 / np.pi, rel=0.15)


# Nothing to measure


def test_an_empty_mask_has_zero_size_and_no_shape() -> None:
    volume = measures(np.zeros((4, 4, 4), np.uint8), np.eye(4), LUNG, image=np.zeros((4, 4, 4)))
    assert volume == {
        "volume_ml": 0.0,
        **dict.fromkeys(("left_ml", "right_ml", "mean_hu", "median_hu")),
        "fraction": 0.0,
    }
    assert measure_warnings(volume) == []
    image_2d = measures(np.zeros((4, 4), np.uint8), np.eye(4), SKIN, spacing=(1.0, 1.0))
    no_shape = dict.fromkeys(("diameter_px", "diameter_mm", "asymmetry", "border_irregularity"))
    assert image_2d == {"area_px": 0, "area_mm2": 0.0, **no_shape, "fraction": 0.0}
    assert measure_warnings(image_2d) == []


def test_a_single_pixel_has_a_shape() -> None:
    values = measures(np.ones((1, 1), np.uint8), np.eye(4), SKIN)
    assert values == {
        "area_px": 1,
        "diameter_px": 1.0,
        "asymmetry": 0.0,
        "border_irregularity": pytest.approx(1.0, abs=0.3),
        "fraction": 1.0,
    }
