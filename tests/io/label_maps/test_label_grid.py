"""A label goes to the grid of its image by its affine, or is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel.orientations as axes
import numpy as np
import pytest
from PIL import Image

from s3net_monai.io.label_maps.grid import Grid, on_grid
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.utils.errors import CaseError

SHAPE = (4, 5, 3)
AFFINE = np.array([[0.1, -2.0, 0, 10], [3, 0.1, 0, -5], [0, 0, 4, 7], [0, 0, 0, 1]])
TRUTH = np.arange(60).reshape(SHAPE).astype(np.int32)
GRID = Grid(shape=SHAPE, affine=AFFINE, name="ct.nii.gz")


def label(array: np.ndarray, affine: np.ndarray | None, **more: bool) -> LabelMap:
    return LabelMap(array=array, affine=affine, name="label.nii.gz", **more)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "RAI", "SAR", "PIL"])
def test_mirrored_and_turned_labels_go_where_their_image_goes(codes: str) -> None:
    turn = axes.ornt_transform(axes.io_orientation(AFFINE), axes.axcodes2ornt(codes))
    stored = axes.apply_orientation(TRUTH, turn)
    array, notes = on_grid(label(stored, AFFINE @ axes.inv_ornt_aff(turn, SHAPE)), GRID)
    np.testing.assert_array_equal(array, TRUTH)
    assert notes == []


@pytest.mark.parametrize("voxels", [0.5, 1.0, 12.0])
def test_a_shifted_label_is_refused(voxels: float) -> None:
    shifted = AFFINE.copy()
    shifted[:3, 3] += voxels * AFFINE[:3, 0]
    with pytest.raises(CaseError, match=r"label\.nii\.gz: lies .* mm off ct\.nii\.gz, expected on its grid"):
        on_grid(label(TRUTH, shifted), GRID)


def test_a_rounded_header_is_no_shift() -> None:
    array, _ = on_grid(label(TRUTH, AFFINE + 1e-3), GRID)
    np.testing.assert_array_equal(array, TRUTH)


@pytest.mark.parametrize("lost", [np.eye(4), np.diag([-1.0, -1, 1, 1])])
def test_an_identity_counts_as_lost(lost: np.ndarray) -> None:
    for stored, grid, name in (
        (label(TRUTH, lost), GRID, "label.nii.gz"),
        (label(TRUTH, AFFINE), Grid(shape=SHAPE, affine=lost, name="ct.nii.gz"), "ct.nii.gz"),
        (label(TRUTH, np.diag([-3.0, 2, 4, 1]), placed=False), GRID, "label.nii.gz"),
    ):
        array, (note,) = on_grid(stored, grid)
        np.testing.assert_array_equal(array, TRUTH)
        assert note.startswith(f"{name}: states no position")
    with pytest.raises(CaseError, match="label of 3x5x3, expected 4x5x3 as ct"):
        on_grid(label(TRUTH[:3], lost), GRID)


def test_another_size_is_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"label of 2x5x3, expected 4x5x3 as ct\.nii\.gz; use the image's own label"):
        on_grid(label(TRUTH[::2], AFFINE @ np.diag([2, 1, 1, 1])), GRID)


def test_a_cropped_label_is_padded() -> None:
    whole = np.zeros(SHAPE, np.int32)
    whole[1:3, 2:4, 1:2] = 1
    affine = AFFINE.copy()
    affine[:3, 3] += AFFINE[:3, :3] @ [1, 2, 1]
    array, _ = on_grid(label(whole[1:3, 2:4, 1:2], affine, cropped=True), GRID)
    np.testing.assert_array_equal(array, whole)
    affine[:3, 3] += 40 * AFFINE[:3, 2]
    with pytest.raises(CaseError, match=r"4 voxels of the label lie outside of ct\.nii\.gz"):
        on_grid(label(whole[1:3, 2:4, 1:2], affine, cropped=True), GRID)
    affine[:3, 3] -= 40.5 * AFFINE[:3, 2]
    with pytest.raises(CaseError, match="mm off"):
        on_grid(label(whole[1:3, 2:4, 1:2], affine, cropped=True), GRID)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_label_of_the_stored_pixels_is_turned_with_its_picture(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    stored = np.zeros((4, 6), np.uint8)
    stored[1:3, 1:5] = 255
    stored[1, 1] = 0
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))).T
    grid = Grid(shape=upright.shape, affine=None, name="a.png", image_2d=tmp_path / "a.png")
    array, notes = on_grid(label(stored.T, None), grid)
    if orientation in (5, 6, 7, 8):
        np.testing.assert_array_equal(array, upright)
        assert "turned by the EXIF orientation" in notes[0]
    else:  # both fit, and programs that draw masks show pictures upright
        np.testing.assert_array_equal(array, stored.T)
        assert notes == [] or "fits a.png as stored and as turned" in notes[0]
    np.testing.assert_array_equal(on_grid(label(upright, None), grid)[0], upright)
    with pytest.raises(CaseError, match=r"label of 6x5, expected \dx\d as a\.png"):
        on_grid(label(np.zeros((6, 5), np.int32), None), grid)


def test_a_slice_of_a_volume_format_fits_a_picture() -> None:
    grid = Grid(shape=(4, 5), affine=None, name="a.png")
    array, notes = on_grid(label(TRUTH[..., :1], np.diag([-1.0, -1, 1, 1])), grid)
    np.testing.assert_array_equal(array, TRUTH[..., 0])
    assert notes == []
    array, _ = on_grid(label(TRUTH[..., 0], None), Grid(shape=(4, 5, 1), affine=AFFINE, name="a.nii.gz"))
    np.testing.assert_array_equal(array, TRUTH[..., :1])
