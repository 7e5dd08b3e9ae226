"""Every corruption is undone: a mask that moves with the image is mapped back."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_free.corruptions import Corruption, corruption_curves, exact_corruptions


@pytest.fixture
def image() -> np.ndarray:
    image = np.zeros((3, 40, 28), dtype=np.float32)
    image[:, 12:22, 8:13] = 200  # off center and of other width than height, so that no symmetry hides an error
    return image


def point(name: str, value: float) -> Corruption:
    return next(c for c in corruption_curves(outside="nearest") if c.name == name and c.value == value)


def test_seven_exact_corruptions_move_the_image() -> None:
    square = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3)
    corrupted = {corruption.apply(square).tobytes() for corruption in exact_corruptions()}
    assert len(corrupted) == 7
    assert square.tobytes() not in corrupted


@pytest.mark.parametrize("corruption", exact_corruptions(), ids=lambda corruption: corruption.name)
def test_an_exact_corruption_is_undone_pixel_by_pixel(corruption: Corruption, image: np.ndarray) -> None:
    warped = corruption.apply(image)
    assert warped.shape in {(3, 40, 28), (3, 28, 40)}
    restored, visible = corruption.undo(warped[0] > 100)
    np.testing.assert_array_equal(restored, image[0] > 100)
    assert visible.all()


def test_rotation_by_90_degrees_maps_x_to_y() -> None:
    image = np.array([[[1.0], [2.0]]], dtype=np.float32)  # (1, 2, 1)
    rotation = next(corruption for corruption in exact_corruptions() if corruption.name == "rotate 90")
    np.testing.assert_array_equal(rotation.apply(image), [[[1.0, 2.0]]])


@pytest.mark.parametrize(("name", "value"), [("rotation (degrees)", 20.0), ("scale", 0.7), ("scale", 1.4)])
def test_a_warped_mask_is_restored_except_for_its_edge(name: str, value: float, image: np.ndarray) -> None:
    corruption = point(name, value)
    truth = image[0] > 100
    warped = corruption.apply(image)[0] > 100
    restored, visible = corruption.undo(warped)
    assert (warped != truth).sum() > 10
    assert visible[truth].all()
    assert (restored != truth).sum() <= 0.2 * truth.sum()


def test_scale_enlarges_about_the_center_and_hides_the_rim(image: np.ndarray) -> None:
    image[:] = 0
    image[:, 15:25, 9:19] = 200  # 10 x 10 in the center
    corruption = point("scale", 1.4)
    assert (corruption.apply(image)[0] > 100).sum() == pytest.approx(14 * 14, rel=0.1)
    visible = corruption.undo(np.ones((40, 28), dtype=bool))[1]
    assert not visible[0].any()
    assert visible.sum() == pytest.approx(40 * 28 / 1.4**2, rel=0.1)


def test_volumes_move_slice_by_slice(image: np.ndarray) -> None:
    volume = np.stack([image[0], np.zeros_like(image[0]), image[0].copy()], axis=-1)[None]
    corruption = point("rotation (degrees)", 30.0)
    warped = corruption.apply(volume)
    np.testing.assert_allclose(warped[0, ..., 0], corruption.apply(image)[0], atol=1e-4)
    assert not warped[..., 1].any()
    restored, visible = corruption.undo(warped[0] > 100)
    assert restored.shape == visible.shape == (40, 28, 3)
    np.testing.assert_array_equal(restored[..., 2], corruption.undo(warped[0, ..., 2] > 100)[0])


def test_the_four_curves() -> None:
    assert {corruption.name for corruption in corruption_curves("nearest")} == {
        "rotation (degrees)",
        "scale",
        "brightness",
        "JPEG quality",
    }


def test_brightness_multiplies_and_clips(image: np.ndarray) -> None:
    assert point("brightness", 0.6).apply(image).max() == pytest.approx(120)
    assert point("brightness", 1.4).apply(image).max() == 255


def test_jpeg_loses_more_at_lower_quality() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (3, 32, 24)).astype(np.float32)
    errors = [np.abs(point("JPEG quality", quality).apply(noise) - noise).mean() for quality in (90, 10)]
    assert 0 < errors[0] < errors[1]
    gray = point("JPEG quality", 90).apply(noise[:1])
    assert gray.shape == (1, 32, 24)
