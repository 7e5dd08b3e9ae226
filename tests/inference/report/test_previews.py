"""Previews: which way up, where the outline is, and that nothing odd breaks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.inference.report.previews import PREVIEW_SUFFIX, outline_color, preview, write_preview
from s3net_monai.io import LABELS, Code, Label

LUNG, SKIN = LABELS["lung"], LABELS["skin"]
GREEN, ORANGE = outline_color(LUNG[0]), outline_color(SKIN[0])
RAS = np.eye(4)


def is_color(picture: Image.Image, color: tuple[int, int, int]) -> np.ndarray:
    """(rows, columns) bool."""
    return (np.asarray(picture) == np.array(color)).all(axis=-1)


def air(shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, -1000, dtype=np.int16)


# Pictures


def test_a_picture_is_outlined_where_its_mask_is_with_x_to_the_right_and_y_down() -> None:
    image = np.full((200, 100, 3), 128, dtype=np.uint8)  # 200 wide, 100 high
    mask = np.zeros((200, 100), dtype=np.uint8)
    mask[150:190, 10:30] = 1
    picture = preview(image, mask, SKIN, RAS)
    assert picture.size == (640, 320)
    rows, columns = np.nonzero(is_color(picture, ORANGE))
    scale = 3.2
    assert columns.min() == pytest.approx(150 * scale, abs=2)
    assert columns.max() == pytest.approx(190 * scale, abs=2)
    assert (rows.min(), rows.max()) == pytest.approx((10 * scale, 30 * scale), abs=2)
    assert not is_color(picture, ORANGE)[int(20 * scale), int(170 * scale)]  # an outline, not a block
    assert picture.getpixel((int(170 * scale), int(20 * scale))) != (128, 128, 128)  # lightly filled
    assert picture.getpixel((20, 300)) == (128, 128, 128)


def test_values_of_eight_bits_are_shown_as_they_are_and_others_are_stretched() -> None:
    empty = np.zeros((50, 40), dtype=np.uint8)
    image = np.zeros((50, 40, 3), dtype=np.uint8)
    image[..., 0] = 200
    assert preview(image, empty, SKIN, RAS).getpixel((5, 5)) == (200, 0, 0)
    assert preview(image.astype(np.float32), empty, SKIN, RAS).getpixel((5, 5)) == (200, 0, 0)
    gray = np.zeros((50, 40), dtype=np.float32)
    gray[25:] = 4000
    wide = preview(gray, empty, SKIN, RAS)
    assert wide.getpixel((2, 2)) == (0, 0, 0)
    assert wide.getpixel((wide.width - 3, 2)) == (255, 255, 255)


def test_an_empty_mask_leaves_the_image_without_an_outline() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 40, 3)).astype(np.uint8)
    assert not is_color(preview(image, np.zeros((60, 40), np.uint8), SKIN, RAS), ORANGE).any()
    volume = preview(air((20, 20, 20)), np.zeros((20, 20, 20), np.uint8), LUNG, RAS)
    assert not is_color(volume, GREEN).any()


def test_several_classes_have_their_own_colors() -> None:
    code = Code("1", "x")
    labels = [
        Label(value=1, name="a", rgb=(200, 0, 0), category=code, type=code),
        Label(value=2, name="b", rgb=(0, 0, 200), category=code, type=code),
    ]
    mask = np.zeros((60, 60), dtype=np.uint8)
    mask[5:25, 5:25], mask[35:55, 35:55] = 1, 2
    picture = preview(np.zeros((60, 60), np.uint8), mask, labels, RAS)
    first = np.nonzero(is_color(picture, outline_color(labels[0])))
    second = np.nonzero(is_color(picture, outline_color(labels[1])))
    assert first[0].max() < second[0].min()


# Volumes


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "SAL", "ASR"])
def test_every_plane_is_shown_in_the_radiological_way(codes: str) -> None:
    from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

    # A block that is right, anterior and superior in the patient, brighter than its surroundings.
    image, mask = air((40, 40, 40)), np.zeros((40, 40, 40), dtype=np.uint8)
    image[30:38, 30:38, 30:38], mask[30:38, 30:38, 30:38] = 100, 1
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(tuple(codes)))
    affine = inv_ornt_aff(turn, image.shape)
    picture = preview(apply_orientation(image, turn), apply_orientation(mask, turn), LUNG, affine)
    cell = (640 - 4) // 3
    high = (picture.height - 4) // 3
    sheet = np.asarray(picture)
    cells = [sheet[row * (high + 2) :, column * (cell + 2) :][:high, :cell] for row in range(3) for column in range(3)]
    for place in (0, 3, 6, 7):  # three axial planes and the coronal one: right is left, anterior or superior is up
        rows, columns = np.nonzero((cells[place] == GREEN).all(axis=-1))
        assert rows.max() < high / 2
        assert columns.max() < cell / 2
    rows, columns = np.nonzero((cells[8] == GREEN).all(axis=-1))  # sagittal: anterior is left
    assert rows.max() < high / 2
    assert columns.max() < cell / 2


def test_planes_have_the_aspect_of_the_patient() -> None:
    shape = (30, 60, 12)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[10:20, 20:40, 5] = 1
    picture = preview(np.full(shape, 250, dtype=np.int16), mask, LUNG, np.diag([2.0, 1.0, 5.0, 1.0]))
    assert picture.size == (640, 212)  # 60 mm along every axis: three squares side by side
    assert (np.asarray(picture) > 200).any(axis=-1).mean() > 0.9  # and filled


def test_axial_planes_lie_within_the_mask_at_even_steps() -> None:
    shape = (16, 16, 100)
    image, mask = air(shape), np.zeros(shape, dtype=np.uint8)
    mask[4:12, 4:12, 20:90] = 1
    picture = preview(image, mask, LUNG, RAS)
    outlined = is_color(picture, GREEN)
    cell = (640 - 4) // 3
    for place in range(9):
        row, column = place // 3 * (cell + 2), place % 3 * (cell + 2)
        assert outlined[row:, column:][:cell, :cell].any()


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((32, 32, 1), RAS),
        ((40, 20, 3), np.diag([0.7, 0.7, 5.0, 1.0])),
        ((1, 1, 1), RAS),
        ((1, 30, 30), RAS),
        ((64, 9, 300), np.diag([-1.0, -1.0, 0.5, 1.0])),
        ((20, 20, 20), np.array([[0.9, -0.4, 0.1, 5], [0.4, 0.9, 0, 5], [0, -0.1, 2, 5], [0, 0, 0, 1]])),
    ],
)
@pytest.mark.parametrize("fill", ["noise", "constant", "nan"])
def test_odd_volumes_are_drawn(shape: tuple[int, int, int], affine: np.ndarray, fill: str) -> None:
    image = np.random.default_rng(0).normal(-500, 400, shape).astype(np.float32)
    if fill != "noise":
        image[...] = 7 if fill == "constant" else np.nan
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(extent // 2 for extent in shape)] = 1
    code = Code("1", "x")
    for labels in (LUNG, [Label(value=1, name="other", rgb=(9, 9, 200), category=code, type=code)]):
        picture = preview(image, mask, labels, affine)
        assert 0 < picture.width <= 640
        assert 0 < picture.height <= 640
        assert is_color(picture, outline_color(labels[0])).any()  # a single voxel is still to be seen


@pytest.mark.parametrize("shape", [(1, 1), (3000, 2), (1, 500), (2500, 1800)])
def test_odd_pictures_are_drawn(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, dtype=np.uint8)
    mask[shape[0] // 2, shape[1] // 2] = 1
    picture = preview(np.full((*shape, 3), 90, dtype=np.uint8), mask, SKIN, RAS)
    assert 0 < picture.width <= 640
    assert 0 < picture.height <= 640
    assert is_color(picture, ORANGE).any()


# Files


def test_the_file_of_a_real_chest_is_small_and_a_jpeg(real_data: Path, tmp_path: Path) -> None:
    from s3net_monai.io.dicom.series import load_series

    series = load_series([real_data / "dicom" / "chest_A0001"])
    mask = (series.array < -600).astype(np.uint8)
    path = tmp_path / f"chest{PREVIEW_SUFFIX}"
    write_preview(series.array, mask, LUNG, series.affine, path)
    assert path.stat().st_size < 200_000
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (640, 640)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_noise_that_no_jpeg_makes_small_is_saved(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-1400, 400, (40, 32, 3)).astype(np.int16)
    path = tmp_path / f"a{PREVIEW_SUFFIX}"
    write_preview(noise, (noise < -400).astype(np.uint8), LUNG, RAS, path)
    with Image.open(path) as picture:
        picture.load()
        assert picture.size[0] == 640
