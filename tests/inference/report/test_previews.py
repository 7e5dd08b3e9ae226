"""Previews: orientation, position of the outline, and unusual inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.file_formats import PREVIEW_SUFFIX
from s3net_monai.inference.report.previews import outline_color, preview, write_preview
from s3net_monai.io import Code, Label
from s3net_monai.tasks import TASKS, PreviewStyle

LUNG, SKIN = TASKS["lung"], TASKS["skin"]
GREEN, ORANGE = outline_color(LUNG.labels[0].rgb), outline_color(SKIN.labels[0].rgb)
RAS = np.eye(4)


def is_color(drawing: Image.Image, color: tuple[int, int, int]) -> np.ndarray:
    """(rows, columns) bool."""
    return (np.asarray(drawing) == np.array(color)).all(axis=-1)


def air(shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, -1000, dtype=np.int16)


# 2-D images


def test_a_2d_image_is_outlined_where_its_mask_is() -> None:
    image = np.full((200, 100, 3), 128, dtype=np.uint8)  # 200 wide, 100 high
    mask = np.zeros((200, 100), dtype=np.uint8)
    mask[150:190, 10:30] = 1
    drawing = preview(image, mask, affine=RAS, task=SKIN)
    assert drawing.size == (640, 320)
    rows, columns = np.nonzero(is_color(drawing, ORANGE))
    scale = 3.2
    assert columns.min() == pytest.approx(150 * scale, abs=2)
    assert columns.max() == pytest.approx(190 * scale, abs=2)
    assert (rows.min(), rows.max()) == pytest.approx((10 * scale, 30 * scale), abs=2)
    assert not is_color(drawing, ORANGE)[int(20 * scale), int(170 * scale)]  # an outline, not a block
    assert drawing.getpixel((int(170 * scale), int(20 * scale))) != (128, 128, 128)  # lightly filled
    assert drawing.getpixel((20, 300)) == (128, 128, 128)


def test_the_outline_is_the_mask_without_its_inside_also_at_the_edge_of_the_image() -> None:
    mask = np.zeros((640, 640), dtype=np.uint8)  # of the size of the preview, so that nothing is resampled
    mask[3:9, 4:30] = mask[630:, 100:140] = mask[300:310, 300:312] = 1
    drawing = preview(np.full((640, 640, 3), 128, dtype=np.uint8), mask, affine=RAS, task=SKIN)
    width, inside = SKIN.preview.outline_width, mask.T == 1
    outline, around = np.zeros_like(inside), np.zeros_like(inside)
    for row, column in np.ndindex(*inside.shape):
        rows, columns = range(row - width, row + width + 1), range(column - width, column + width + 1)
        if inside[row, column]:
            within = [0 <= r < 640 and 0 <= c < 640 and inside[r, c] for r in rows for c in columns]
            outline[row, column] = not all(within)
        else:
            around[row, column] = inside[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].any()
    np.testing.assert_array_equal(is_color(drawing, ORANGE), outline)
    np.testing.assert_array_equal(is_color(drawing, (0, 0, 0)), around)


def test_8_bit_values_are_unchanged_and_others_stretched() -> None:
    empty = np.zeros((50, 40), dtype=np.uint8)
    image = np.zeros((50, 40, 3), dtype=np.uint8)
    image[..., 0] = 200
    assert preview(image, empty, affine=RAS, task=SKIN).getpixel((5, 5)) == (200, 0, 0)
    assert preview(image.astype(np.float32), empty, affine=RAS, task=SKIN).getpixel((5, 5)) == (200, 0, 0)
    gray = np.zeros((50, 40), dtype=np.float32)
    gray[25:] = 4000
    wide = preview(gray, empty, affine=RAS, task=SKIN)
    assert wide.getpixel((2, 2)) == (0, 0, 0)
    assert wide.getpixel((wide.width - 3, 2)) == (255, 255, 255)


@pytest.mark.parametrize("shape", [(765, 574), (200, 100), (1500, 1300)])
@pytest.mark.parametrize("colors", [True, False])
def test_a_2d_image_is_resized_as_by_pillow(shape: tuple[int, int], colors: bool) -> None:
    size = (*shape, 3) if colors else shape
    image = np.random.default_rng(0).integers(70, 186, size).astype(np.uint8)
    drawing = preview(image, np.zeros(shape, np.uint8), affine=RAS, task=SKIN)
    upright = Image.fromarray(image.swapaxes(0, 1)).convert("RGB")
    expected = upright.resize(drawing.size, Image.Resampling.BICUBIC)
    difference = np.asarray(drawing).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 2  # both round between the axes, which they take in another order
    assert np.abs(difference).mean() < 1


def test_an_empty_mask_leaves_the_image_without_an_outline() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 40, 3)).astype(np.uint8)
    assert not is_color(preview(image, np.zeros((60, 40), np.uint8), affine=RAS, task=SKIN), ORANGE).any()
    volume = preview(air((20, 20, 20)), np.zeros((20, 20, 20), np.uint8), affine=RAS, task=LUNG)
    assert not is_color(volume, GREEN).any()


def test_several_classes_have_their_own_colors() -> None:
    code = Code("1", "x")
    labels = (
        Label(value=1, name="a", rgb=(200, 0, 0), category=code, type=code),
        Label(value=2, name="b", rgb=(0, 0, 200), category=code, type=code),
    )
    mask = np.zeros((60, 60), dtype=np.uint8)
    mask[5:25, 5:25], mask[35:55, 35:55] = 1, 2
    drawing = preview(np.zeros((60, 60), np.uint8), mask, affine=RAS, task=replace(SKIN, labels=labels))
    first = np.nonzero(is_color(drawing, outline_color(labels[0].rgb)))
    second = np.nonzero(is_color(drawing, outline_color(labels[1].rgb)))
    assert first[0].max() < second[0].min()


# Volumes


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "SAL", "ASR"])
def test_every_plane_follows_the_radiological_convention(codes: str) -> None:
    from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

    # A block that is right, anterior and superior in the patient, brighter than its surroundings.
    image, mask = air((40, 40, 40)), np.zeros((40, 40, 40), dtype=np.uint8)
    image[30:38, 30:38, 30:38], mask[30:38, 30:38, 30:38] = 100, 1
    orientation = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(tuple(codes)))
    affine = inv_ornt_aff(orientation, image.shape)
    drawing = preview(
        apply_orientation(image, orientation), apply_orientation(mask, orientation), affine=affine, task=LUNG
    )
    cell = (640 - 4) // 3
    high = (drawing.height - 4) // 3
    sheet = np.asarray(drawing)
    cells = [sheet[row * (high + 2) :, column * (cell + 2) :][:high, :cell] for row in range(3) for column in range(3)]
    for index in (0, 3, 6, 7):  # three axial planes and the coronal one: right is left, anterior or superior is up
        rows, columns = np.nonzero((cells[index] == GREEN).all(axis=-1))
        assert rows.max() < high / 2
        assert columns.max() < cell / 2
    rows, columns = np.nonzero((cells[8] == GREEN).all(axis=-1))  # sagittal: anterior is left
    assert rows.max() < high / 2
    assert columns.max() < cell / 2


def test_planes_have_the_aspect_ratio_of_the_patient() -> None:
    shape = (30, 60, 12)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[10:20, 20:40, 5] = 1
    drawing = preview(np.full(shape, 250, dtype=np.int16), mask, affine=np.diag([2.0, 1.0, 5.0, 1.0]), task=LUNG)
    assert drawing.size == (640, 212)  # 60 mm along every axis: three squares side by side
    assert (np.asarray(drawing) > 200).any(axis=-1).mean() > 0.9  # and filled


def test_axial_planes_lie_within_the_mask_at_even_steps() -> None:
    shape = (16, 16, 100)
    image, mask = air(shape), np.zeros(shape, dtype=np.uint8)
    mask[4:12, 4:12, 20:90] = 1
    drawing = preview(image, mask, affine=RAS, task=LUNG)
    outlined = is_color(drawing, GREEN)
    cell = (640 - 4) // 3
    for index in range(9):
        row, column = index // 3 * (cell + 2), index % 3 * (cell + 2)
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
    other = Label(value=1, name="other", rgb=(9, 9, 200), category=code, type=code)
    for task in (LUNG, replace(LUNG, labels=(other,), preview=PreviewStyle())):
        drawing = preview(image, mask, affine=affine, task=task)
        assert 0 < drawing.width <= 640
        assert 0 < drawing.height <= 640
        assert is_color(drawing, outline_color(task.labels[0].rgb)).any()  # a single voxel stays visible


@pytest.mark.parametrize("shape", [(1, 1), (3000, 2), (1, 500), (2500, 1800)])
def test_odd_2d_images_are_drawn(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, dtype=np.uint8)
    mask[shape[0] // 2, shape[1] // 2] = 1
    drawing = preview(np.full((*shape, 3), 90, dtype=np.uint8), mask, affine=RAS, task=SKIN)
    assert 0 < drawing.width <= 640
    assert 0 < drawing.height <= 640
    assert is_color(drawing, ORANGE).any()


# Files


def test_the_file_of_a_real_chest_is_small_and_a_jpeg(real_data: Path, tmp_path: Path) -> None:
    from s3net_monai.io.dicom.series import load_series

    series = load_series([real_data / "dicom" / "chest_A0001"])
    mask = (series.array < -600).astype(np.uint8)
    path = tmp_path / f"chest{PREVIEW_SUFFIX}"
    write_preview(path, series.array, mask, affine=series.affine, task=LUNG)
    assert path.stat().st_size < 200_000
    with Image.open(path) as drawing:
        assert drawing.format == "JPEG"
        assert drawing.size == (640, 640)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_incompressible_noise_is_saved(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-1400, 400, (40, 32, 3)).astype(np.int16)
    path = tmp_path / f"a{PREVIEW_SUFFIX}"
    write_preview(path, noise, (noise < -400).astype(np.uint8), affine=RAS, task=LUNG)
    with Image.open(path) as drawing:
        drawing.load()
        assert drawing.size[0] == 640
