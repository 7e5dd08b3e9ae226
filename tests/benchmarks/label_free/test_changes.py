"""Every change is undone: a mask that moves with the image comes back to where it was."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_free.corruptions import Corruption, curves, exact_changes


@pytest.fixture
def picture() -> np.ndarray:
    image = np.zeros((3, 40, 28), dtype=np.float32)
    image[:, 12:22, 8:13] = 200  # off center and of other width than height, so that no symmetry hides an error
    return image


def point(name: str, value: float) -> Corruption:
    return next(c for c in curves(outside="nearest") if c.name == name and c.value == value)


def test_the_exact_changes_are_the_seven_that_move_the_picture() -> None:
    square = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3)
    changed = {change.apply(square).tobytes() for change in exact_changes()}
    assert len(changed) == 7
    assert square.tobytes() not in changed


@pytest.mark.parametrize("change", exact_changes(), ids=lambda change: change.name)
def test_an_exact_change_is_undone_pixel_by_pixel(change: Corruption, picture: np.ndarray) -> None:
    moved = change.apply(picture)
    assert moved.shape in {(3, 40, 28), (3, 28, 40)}
    back, shown = change.undo(moved[0] > 100)
    np.testing.assert_array_equal(back, picture[0] > 100)
    assert shown.all()


def test_a_quarter_turn_takes_the_first_axis_to_the_second() -> None:
    image = np.array([[[1.0], [2.0]]], dtype=np.float32)  # (1, 2, 1)
    turn = next(change for change in exact_changes() if change.name == "turn 90")
    np.testing.assert_array_equal(turn.apply(image), [[[1.0, 2.0]]])


@pytest.mark.parametrize(("name", "value"), [("rotation (degrees)", 20.0), ("scale", 0.7), ("scale", 1.4)])
def test_a_moved_mask_comes_back_but_for_its_edge(name: str, value: float, picture: np.ndarray) -> None:
    change = point(name, value)
    truth = picture[0] > 100
    moved = change.apply(picture)[0] > 100
    back, shown = change.undo(moved)
    assert (moved != truth).sum() > 10
    assert shown[truth].all()
    assert (back != truth).sum() <= 0.2 * truth.sum()


def test_scale_enlarges_about_the_center_and_hides_the_rim(picture: np.ndarray) -> None:
    picture[:] = 0
    picture[:, 15:25, 9:19] = 200  # 10 x 10 in the center
    change = point("scale", 1.4)
    assert (change.apply(picture)[0] > 100).sum() == pytest.approx(14 * 14, rel=0.1)
    shown = change.undo(np.ones((40, 28), dtype=bool))[1]
    assert not shown[0].any()
    assert shown.sum() == pytest.approx(40 * 28 / 1.4**2, rel=0.1)


def test_volumes_move_slice_by_slice(picture: np.ndarray) -> None:
    volume = np.stack([picture[0], np.zeros_like(picture[0]), picture[0].copy()], axis=-1)[None]
    change = point("rotation (degrees)", 30.0)
    moved = change.apply(volume)
    np.testing.assert_allclose(moved[0, ..., 0], change.apply(picture)[0], atol=1e-4)
    assert not moved[..., 1].any()
    back, shown = change.undo(moved[0] > 100)
    assert back.shape == shown.shape == (40, 28, 3)
    np.testing.assert_array_equal(back[..., 2], change.undo(moved[0, ..., 2] > 100)[0])


def test_the_four_curves() -> None:
    assert {change.name for change in curves("nearest")} == {
        "rotation (degrees)",
        "scale",
        "brightness",
        "JPEG quality",
    }


def test_brightness_multiplies_and_clips(picture: np.ndarray) -> None:
    assert point("brightness", 0.6).apply(picture).max() == pytest.approx(120)
    assert point("brightness", 1.4).apply(picture).max() == 255


def test_jpeg_loses_more_at_lower_quality() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (3, 32, 24)).astype(np.float32)
    errors = [np.abs(point("JPEG quality", quality).apply(noise) - noise).mean() for quality in (90, 10)]
    assert 0 < errors[0] < errors[1]
    gray = point("JPEG quality", 90).apply(noise[:1])
    assert gray.shape == (1, 32, 24)
