"""Tests of the labeling functions and of the weak label of skin lesions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from data_prep.phantom_skin import skin_phantom
from s3net_monai.transforms import skin_labeling
from s3net_monai.transforms.skin_labeling import (
    center_weight,
    central_component,
    dice,
    lower_threshold,
    skin_artifacts,
    skin_lesion_prior,
    skin_weak_label,
    vignette,
    weighted_vote,
    without_hair,
)

SKIN = np.array([0.8, 0.65, 0.6], dtype=np.float32)
BROWN = np.array([0.35, 0.2, 0.15], dtype=np.float32)


def disc(shape: tuple[int, int], center: tuple[float, float], radius: float) -> np.ndarray:
    x, y = np.indices(shape)
    return np.hypot(x - center[0], y - center[1]) < radius


def skin_image(lesion: np.ndarray, color: np.ndarray = BROWN) -> np.ndarray:
    return np.where(lesion, color[:, None, None], SKIN[:, None, None])


def test_vignette_is_dark_and_contains_a_corner() -> None:
    gray = np.ones((40, 60))
    gray[:5, :6] = gray[-4:, -8:] = 0.2  # two corners
    gray[:6, 25:35] = 0.2  # dark, at the border, no corner
    gray[15:25, 20:40] = 0.2  # dark, in the middle
    expected = np.zeros((40, 60), dtype=bool)
    expected[:5, :6] = expected[-4:, -8:] = True
    expected[5, :6] = expected[:5, 6] = expected[-5, -8:] = expected[-4:, -9] = True  # grown by one pixel
    np.testing.assert_array_equal(vignette(gray), expected)


def test_vignette_grows_by_a_fiftieth_of_the_image() -> None:
    gray = np.ones((150, 200))
    gray[0, 0] = 0
    x, y = np.indices(gray.shape)
    np.testing.assert_array_equal(vignette(gray), x + y <= 3)


def test_vignette_darkness_is_a_fraction_of_the_median() -> None:
    gray = np.full((20, 20), 0.5)
    gray[:3, :3] = 0.23
    assert not vignette(gray).any()
    assert vignette(gray, darkness=0.5).any()
    assert vignette(gray * 0.1, darkness=0.5).any()


def test_bright_corners_leave_no_vignette() -> None:
    gray = np.ones((30, 30))
    gray[10:20, 10:20] = 0
    assert not vignette(gray).any()


def test_center_weight_is_a_gaussian_in_half_widths() -> None:
    weight = center_weight((5, 9))
    assert weight.shape == (5, 9)
    assert weight[2, 4] == 1
    # one standard deviation off the center along either axis and along both, and a corner
    assert weight[3, 4] == weight[2, 6] == pytest.approx(np.exp(-0.5))
    assert weight[1, 2] == pytest.approx(np.exp(-1))
    assert weight[0, 0] == pytest.approx(np.exp(-4))
    assert center_weight((5, 9), spread=1)[2, 8] == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize("seed", range(3))
def test_central_component_is_that_of_a_loop_over_components(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(generator.standard_normal((40, 32)), 2) > 0
    regions, count = ndimage.label(mask)
    weight = center_weight(mask.shape)
    sums = [weight[regions == number].sum() for number in range(1, count + 1)]
    expected = ndimage.binary_fill_holes(regions == 1 + int(np.argmax(sums)))
    np.testing.assert_array_equal(central_component(mask), expected)


def test_central_component_prefers_the_center_to_size() -> None:
    mask = np.zeros((41, 41), dtype=bool)
    mask[18:24, 18:24] = True
    expected = mask.copy()
    mask[:5] = True  # more pixels, all at the border
    np.testing.assert_array_equal(central_component(mask), expected)


def test_central_component_prefers_size_at_equal_distance() -> None:
    mask = np.zeros((41, 41), dtype=bool)
    mask[12:15, 15:25] = True
    expected = mask.copy()
    mask[26:29, 18:22] = True
    np.testing.assert_array_equal(central_component(mask), expected)


def test_central_component_has_no_holes_and_may_be_empty() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    assert not central_component(mask).any()
    mask[5:15, 5:15] = True
    filled = mask.copy()
    mask[8:11, 8:11] = False
    np.testing.assert_array_equal(central_component(mask), filled)


def test_dice() -> None:
    first, second, empty = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool), np.zeros(4, bool)
    assert dice(first, first) == 1
    assert dice(first, second) == 0.5
    assert dice(first, empty) == 0
    assert dice(empty, empty) == 1


def test_lower_threshold_separates_the_lowest_class() -> None:
    values = np.repeat([0.1, 0.5, 0.9], [50, 30, 20])
    assert 0.1 <= lower_threshold(values) < 0.5
    assert 0.1 <= lower_threshold(np.repeat([0.1, 0.9], [50, 30])) < 0.9
    assert lower_threshold(np.full(9, 0.3)) == pytest.approx(0.3)


def weak_label_of_maps(monkeypatch: pytest.MonkeyPatch, *maps: np.ndarray) -> np.ndarray:
    """Return the weak label of an image with these four lesion maps."""
    monkeypatch.setattr(skin_labeling, "_lesion_maps", lambda *_: tuple(mask.astype(np.float32) for mask in maps))
    return skin_weak_label(np.full((3, 40, 40), 0.5))


def test_disagreement_moves_the_weak_label_towards_one_half(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    large[15:25, 15:25] = small[15:23, 15:23] = True  # 100 and 64 of them
    weak_label = weak_label_of_maps(monkeypatch, large, large, small, small)  # each votes twice, once per threshold
    agreement = (2 + 4 * 128 / 164) / 6
    certainty = 0.5 * (agreement - 0.5) / 0.4
    np.testing.assert_allclose(weak_label[small], 0.5 + certainty, atol=1e-6)
    np.testing.assert_allclose(weak_label[large & ~small], 0.5, atol=1e-6)
    np.testing.assert_allclose(weak_label[~large], 0.5 - certainty, atol=1e-6)
    np.testing.assert_array_equal(weak_label_of_maps(monkeypatch, large, large, large, large), large)


def test_weak_label_is_one_half_if_half_of_the_pairs_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    first[15:25, 15:25] = second[28:33, 28:33] = True
    np.testing.assert_array_equal(weak_label_of_maps(monkeypatch, first, first, first, second), np.full((40, 40), 0.5))


def test_a_deviating_mask_hardly_counts() -> None:
    first, second = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    first[2:8, 2:8] = second[12:18, 12:18] = True
    weak_label = weighted_vote([first, first, first, second])
    weights = np.array([3 / 4, 3 / 4, 3 / 4, 1 / 4]) ** 4  # mean Dice with all four, itself included
    np.testing.assert_allclose(weak_label[first], 3 * weights[0] / weights.sum(), rtol=1e-6)
    np.testing.assert_allclose(weak_label[second], weights[3] / weights.sum(), rtol=1e-6)
    assert weak_label[~first & ~second].max() == 0
    np.testing.assert_allclose(weighted_vote([first, first, first, second], power=0)[first], 0.75)


def test_hairs_are_filled_and_lesions_stay() -> None:
    lesion = disc((96, 96), (50, 44), 15)
    image = skin_image(lesion)
    hairy = image.copy()
    hairy[:, 20, :] = hairy[:, :, 70] = 0.1
    closed = without_hair(hairy)
    np.testing.assert_array_equal(
        closed[:, ~disc((96, 96), (50, 44), 22)], without_hair(image)[:, ~disc((96, 96), (50, 44), 22)]
    )
    assert dice(closed[0] < 0.5, lesion) > 0.97


def test_artifacts_have_hues_that_no_skin_has() -> None:
    patch, lesion = disc((96, 96), (96, 20), 20), disc((96, 96), (45, 48), 14)
    image = skin_image(lesion)
    image[:, patch] = np.array([0.1, 0.9, 0.9])[:, None]
    rim = ~lesion & ~patch
    artifacts = skin_artifacts(image, rim)
    assert artifacts[patch].all()
    assert not artifacts[lesion].any()
    assert not artifacts[~disc((96, 96), (96, 20), 24)].any()
    assert not skin_artifacts(skin_image(lesion), rim).any()


def test_a_color_patch_is_not_a_lesion() -> None:
    patch, lesion = disc((96, 96), (96, 48), 30), disc((96, 96), (38, 48), 9)
    image = skin_image(lesion, np.array([0.6, 0.45, 0.4], dtype=np.float32))
    image[:, patch] = np.array([0.1, 0.2, 0.9])[:, None]
    weak_label = skin_weak_label(image)
    assert weak_label[patch].max() == 0
    assert dice(weak_label > 0.5, lesion) > 0.85


def test_lower_threshold_includes_the_rim_of_a_lesion(monkeypatch: pytest.MonkeyPatch) -> None:
    core, rim = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    core[15:25, 15:25] = rim[12:28, 12:28] = True
    shaded = 0.8 * core + 0.2 * rim  # Otsu's threshold lies between rim and core
    weak_label = weak_label_of_maps(monkeypatch, shaded, shaded, shaded, shaded)
    np.testing.assert_array_equal(weak_label, 0.5 * core + 0.5 * rim)


@pytest.mark.parametrize("shape", [(96, 96), (96, 72)])
def test_all_labeling_functions_find_a_brown_disc(shape: tuple[int, int]) -> None:
    lesion = disc(shape, (shape[0] / 2 + 5, shape[1] / 2 - 4), 17)
    weak_label = skin_weak_label(skin_image(lesion))
    assert weak_label.shape == shape
    assert weak_label.dtype == np.float32
    assert dice(weak_label == 1, lesion) > 0.93
    assert dice(weak_label > 0.5, lesion) > 0.93
    assert weak_label.min() == 0


def test_black_corners_are_not_a_lesion() -> None:
    lesion = disc((96, 96), (40, 50), 14)
    image = skin_image(lesion) * disc((96, 96), (47.5, 47.5), 55)
    weak_label = skin_weak_label(image)
    assert weak_label[~disc((96, 96), (47.5, 47.5), 55)].max() == 0
    assert dice(weak_label > 0.5, lesion) > 0.93


def test_lesions_as_bright_as_the_skin_are_found_by_color() -> None:
    lesion = disc((96, 96), (48, 48), 16)
    red = np.array([0.98, 0.58, 0.46], dtype=np.float32)
    weak_label = skin_weak_label(skin_image(lesion, red))
    assert dice(weak_label > 0.5, lesion) > 0.9


def test_blue_is_the_third_channel() -> None:
    """Yellow is dark in the blue channel although it is brighter than the skin."""
    image = skin_image(disc((96, 96), (48, 48), 16), np.array([0.85, 0.75, 0.2], dtype=np.float32))
    everywhere = np.ones((96, 96), bool)
    inside, outside = (48, 48), (5, 48)
    blue, bright, color, hue = skin_labeling._lesion_maps(image, skin_labeling._lab(image), everywhere)
    assert blue[inside] > blue[outside]
    assert bright[inside] < bright[outside]
    assert color[inside] > hue[inside] > 20  # the median is the skin's color, from which its own pixels do not differ
    assert color[outside] == hue[outside] == 0


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_image_gives_an_empty_weak_label(value: float) -> None:
    assert not skin_weak_label(np.full((3, 24, 32), value, dtype=np.float32)).any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3)])
def test_weak_label_of_a_few_pixels_is_one_half(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    np.testing.assert_array_equal(skin_weak_label(image), np.full(shape, 0.5))


def test_weak_label_of_an_image_without_skin_is_one_half() -> None:
    image = np.zeros((3, 40, 40), dtype=np.float32)
    image[0, :20] = image[1, 20:] = 1
    np.testing.assert_array_equal(skin_weak_label(image), np.full((40, 40), 0.5))


def test_weak_label_rotates_with_the_image() -> None:
    image, _ = skin_phantom((96, 96), seed=1)
    channels_first = np.moveaxis(image, -1, 0) / np.float32(255)
    rotated = skin_weak_label(np.rot90(channels_first, axes=(1, 2)).copy())
    assert (np.rot90(skin_weak_label(channels_first)) != rotated).mean() < 0.01


def test_weak_label_is_as_reliable_as_it_states() -> None:
    correct, certainties, scores = 0.0, [], []
    for seed in range(8):
        image, truth = skin_phantom((160, 120), seed)
        weak_label = skin_weak_label(np.moveaxis(image, -1, 0) / np.float32(255))
        certainty = np.abs(2 * weak_label - 1)
        correct += float((certainty * ((weak_label > 0.5) == truth)).sum())
        certainties.append(float(certainty.sum()))
        if certainty.mean() > 0.5:
            scores.append(dice(weak_label > 0.5, truth > 0))
    assert correct > 0.98 * sum(certainties)
    assert len(scores) >= 4
    assert min(scores) > 0.9, scores


def test_prior_is_the_weighted_vote() -> None:
    image = skin_image(disc((40, 30), (20, 15), 8))
    masks = skin_labeling.skin_labeling_functions(image)
    assert len(masks) == 8
    np.testing.assert_array_equal(skin_lesion_prior(image), weighted_vote(masks))
    assert skin_lesion_prior(image)[20, 15] == 1
    assert not skin_lesion_prior(np.zeros((3, 2, 2))).any()
