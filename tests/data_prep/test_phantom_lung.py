"""The synthetic chest: deterministic, the same patient on any grid, and anatomical lungs."""

import numpy as np
import pytest
from scipy import ndimage

from data_prep.phantom_grid import phantom_affine, voxel_coordinates
from data_prep.phantom_lung import HU_RANGE, lung_phantom

SHAPE = (72, 72, 48)


@pytest.fixture(scope="module")
def chest():
    return lung_phantom(SHAPE, seed=3)


def rotation(degrees, axis):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def test_default_affine_is_a_scanners_own():
    affine = phantom_affine((100, 50, 60))
    assert np.allclose(np.diag(affine)[:3], [-3.6, -7.2, 5.0])
    assert np.allclose(affine @ [49.5, 24.5, 29.5, 1], [0, 0, 0, 1])  # the middle of the grid is the origin


def test_voxel_coordinates_count_towards_left_posterior_superior():
    affine = phantom_affine((4, 4, 4), spacing=(1, 2, 3), rotation=rotation(15, axis=0))
    x, y, z = np.broadcast_arrays(*voxel_coordinates(affine, (1, 1, 0), (3, 4, 2)))
    for index in np.ndindex(2, 3, 2):
        ras = affine @ [index[0] + 1, index[1] + 1, index[2], 1]
        assert np.allclose([x[index], y[index], z[index]], [-ras[0], -ras[1], ras[2]], atol=1e-4)


def test_same_seed_same_bytes_other_seed_other_patient(chest):
    repeated = lung_phantom(SHAPE, seed=3)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(chest, repeated, strict=True))
    assert (lung_phantom(SHAPE, seed=4)[1] != chest[1]).mean() > 0.005


def test_types_and_range(chest):
    image, truth, _ = chest
    assert image.dtype == np.int16
    assert truth.dtype == np.uint8
    assert set(np.unique(truth)) == {0, 1}
    assert image.min() >= HU_RANGE[0]
    assert image.max() <= HU_RANGE[1]


@pytest.mark.parametrize("seed", range(4))
def test_lungs_are_two_dark_anatomical_organs_inside_the_body(seed):
    image, truth, affine = lung_phantom(SHAPE, seed)
    litres = truth.sum() * abs(np.linalg.det(affine[:3, :3])) / 1e6
    assert 3 < litres < 7
    assert -900 < np.median(image[truth > 0]) < -780
    parts, count = ndimage.label(truth)
    sizes = np.sort(ndimage.sum_labels(truth, parts, range(1, count + 1)))[::-1]
    assert sizes[:2].sum() > 0.99 * truth.sum()
    # The heart makes the left lung smaller, which is at higher first indices of an LPS grid.
    assert truth[: SHAPE[0] // 2].sum() > 1.03 * truth[SHAPE[0] // 2 :].sum()


@pytest.mark.parametrize("seed", range(4))
def test_body_wall_separates_lungs_from_outside_air(seed):
    image, truth, affine = lung_phantom(SHAPE, seed)
    air, _ = ndimage.label(image < -500)
    sides = np.concatenate([air[0].ravel(), air[-1].ravel(), air[:, 0].ravel(), air[:, -1].ravel()])
    outside = np.isin(air, np.setdiff1d(sides, [0]))
    distance = ndimage.distance_transform_edt(~outside, sampling=np.abs(np.diag(affine)[:3]))
    assert distance[truth > 0].min() > 12  # mm


def test_trachea_is_air_but_not_lung():
    image, truth, affine = lung_phantom((96, 96, 48), seed=0)
    i, j, k = np.rint(np.linalg.inv(affine) @ [0, -5, 90, 1])[:3].astype(int)
    around = (slice(i - 4, i + 5), slice(j - 4, j + 5), k)
    assert image[around].min() < -700
    assert truth[around].sum() == 0


@pytest.mark.slow
def test_vessels_belong_to_the_lung():
    image, truth, _ = lung_phantom((160, 160, 60), seed=0)
    core = ndimage.binary_erosion(truth > 0, iterations=3)
    assert (image[core] > -200).sum() > 200


def test_another_grid_shows_the_same_patient(chest):
    _, truth, affine = chest
    turned = phantom_affine((60, 80, 70), spacing=(6.0, 4.5, 4.5), rotation=rotation(15, axis=0))
    _, oblique, _ = lung_phantom((60, 80, 70), seed=3, affine=turned)
    to_straight = np.linalg.inv(affine) @ turned
    resampled = ndimage.affine_transform(
        truth.astype(np.float32), to_straight[:3, :3], to_straight[:3, 3], output_shape=oblique.shape, order=1
    )
    both = ((resampled > 0.5) & (oblique > 0)).sum()
    assert 2 * both / ((resampled > 0.5).sum() + oblique.sum()) > 0.95


def test_plain_threshold_finds_the_lungs(chest):
    image, truth, _ = chest
    air, _ = ndimage.label(image < -500)
    for edge in (air[0], air[-1], air[:, 0], air[:, -1]):
        air[np.isin(air, np.setdiff1d(edge, [0]))] = 0
    sizes = np.bincount(air.ravel())
    sizes[0] = 0
    segmented = ndimage.binary_closing(np.isin(air, np.argsort(sizes)[-2:]), iterations=2)
    assert 2 * (segmented & (truth > 0)).sum() / (segmented.sum() + truth.sum()) > 0.9
