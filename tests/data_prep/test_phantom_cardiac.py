"""The synthetic heart: deterministic, anatomical, and not separable by a threshold."""

import numpy as np
import pytest
from scipy import ndimage

from data_prep.phantom_cardiac import DIASTOLE, LV, MYO, RV, SYSTOLE, cardiac_phantom

SHAPE = (112, 128, 8)
SEEDS = range(6)


@pytest.fixture(scope="module")
def hearts():
    return {(s, p): cardiac_phantom(SHAPE, s, p) for s in SEEDS for p in (DIASTOLE, SYSTOLE)}


def test_types_and_range(hearts):
    for image, truth in hearts.values():
        assert image.dtype == truth.dtype == np.uint8
        assert image.shape == truth.shape == SHAPE
        assert image.max() == 255
        assert np.array_equal(np.unique(truth), [0, RV, MYO, LV])


def test_same_arguments_same_bytes_other_seed_other_patient(hearts):
    image, truth = hearts[3, DIASTOLE]
    repeated = cardiac_phantom(SHAPE, 3, DIASTOLE)
    assert repeated[0].tobytes() == image.tobytes()
    assert repeated[1].tobytes() == truth.tobytes()
    assert (hearts[4, DIASTOLE][1] != truth).mean() > 0.005


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("phase", [DIASTOLE, SYSTOLE])
def test_the_wall_closes_around_the_left_ventricle(hearts, seed, phase):
    _, truth = hearts[seed, phase]
    for index in range(SHAPE[2]):
        plane = truth[..., index]
        if not (plane == LV).any():
            continue
        around = ndimage.binary_dilation(plane == LV, np.ones((3, 3))) & (plane != LV)
        assert (plane[around] == MYO).all()
        assert ndimage.label(plane == LV)[1] == 1
        assert ndimage.binary_fill_holes(plane == MYO)[plane == LV].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_right_ventricle_bends_around_the_septum(hearts, seed):
    _, truth = hearts[seed, DIASTOLE]
    plane = truth[..., 1]
    right = plane == RV
    assert (ndimage.binary_dilation(right) & (plane == MYO)).sum() > 8
    assert not (ndimage.binary_dilation(right) & (plane == LV)).any()
    # a crescent: filled up with the left ventricle it is rounder, and its center lies off the left one's
    apart = np.subtract(ndimage.center_of_mass(right), ndimage.center_of_mass(plane >= MYO)) * 300 / np.array(SHAPE[:2])
    assert 25 < np.hypot(*apart) < 70


@pytest.mark.parametrize("seed", SEEDS)
def test_heart_tapers_to_the_apex_and_the_right_side_ends_first(hearts, seed):
    _, truth = hearts[seed, DIASTOLE]
    left = (truth >= MYO).sum((0, 1))
    right = (truth == RV).sum((0, 1))
    assert (np.diff(left) < 0.06 * left[0]).all()
    assert left[-1] < 0.5 * left[0]
    assert right[-1] <= 0.15 * right[0]
    assert right[-1] < left[-1] or left[-1] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_systole_ejects_blood_and_thickens_the_wall(hearts, seed):
    (_, full), (_, empty) = hearts[seed, DIASTOLE], hearts[seed, SYSTOLE]
    volume = {value: ((full == value).sum(), (empty == value).sum()) for value in (RV, MYO, LV)}
    assert 0.3 < 1 - volume[LV][1] / volume[LV][0] < 0.75  # the ejection fraction
    assert volume[RV][1] < 0.9 * volume[RV][0]
    thickness = [
        np.sqrt((truth[..., 1] >= MYO).sum() / np.pi) - np.sqrt((truth[..., 1] == LV).sum() / np.pi)
        for truth in (full, empty)
    ]
    assert thickness[1] > 1.15 * thickness[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_blood_is_brighter_than_wall_with_dark_muscles_in_it(hearts, seed):
    image, truth = hearts[seed, DIASTOLE]
    blood, wall = image[truth == LV], image[truth == MYO]
    assert np.median(blood) > 1.6 * np.median(wall)
    dark = (image < np.median(wall) * 1.3) & ndimage.binary_erosion(truth == LV, np.ones((3, 3, 1)))
    assert dark.any()  # papillary muscles, away from the border


def test_brightness_differs_between_patients_and_slices(hearts):
    medians = [np.median(image[truth == LV]) for image, truth in (hearts[seed, DIASTOLE] for seed in SEEDS)]
    assert max(medians) > 1.2 * min(medians)
    image, truth = hearts[0, DIASTOLE]
    by_slice = [np.median(image[..., z][truth[..., z] == LV]) for z in range(6)]
    assert max(by_slice) > 1.03 * min(by_slice)


def test_threshold_does_not_segment_the_blood(hearts):
    best = []
    for seed in SEEDS:
        image, truth = hearts[seed, DIASTOLE]
        blood = (truth == LV) | (truth == RV)
        best.append(
            max(2 * (blood & (image > t)).sum() / (blood.sum() + (image > t).sum()) for t in range(40, 220, 10))
        )
    assert np.mean(best) < 0.8


def test_another_grid_shows_the_same_patient(hearts):
    _, truth = hearts[2, DIASTOLE]
    _, finer = cardiac_phantom((224, 256, 8), 2, DIASTOLE)
    for value in (MYO, LV):
        both = ((finer[::2, ::2] == value) & (truth == value)).sum()
        assert 2 * both / ((finer[::2, ::2] == value).sum() + (truth == value).sum()) > 0.85
