"""Missing slices and tilted gantries: repaired only on request, onto a grid with every voxel at its position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.data import DataLoader, Dataset, decollate_batch
from monai.transforms import LoadImage

from s3net_monai.io import CaseError, DicomSeriesReader
from s3net_monai.io.dicom.geometry import SeriesGeometry, masks_on_slices
from s3net_monai.io.dicom.series import load_series, read_geometry
from tests.helpers.dicom_tools import DOUBLE_OBLIQUE

GRADIENT = np.array([3.0, -2.0, 5.0])  # stored values per mm (LPS); whole numbers at whole millimeters
Maker = Callable[..., Any]


def _linear(maker: Any, spacing: tuple[float, float]) -> None:
    """Give every pixel the value 1000 + GRADIENT . position, so that linear interpolation is exact."""
    for dataset in maker.slices:
        row, column = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
        y, x = np.mgrid[: dataset.Rows, : dataset.Columns]
        position = np.array(dataset.ImagePositionPatient, dtype=float)
        position = position + x[..., None] * spacing[1] * row + y[..., None] * spacing[0] * column
        dataset.PixelData = np.rint(1000 + position @ GRADIENT).astype(np.uint16).tobytes()


def _shear(maker: Any, per_slice: tuple[float, float], spacing: tuple[float, float]) -> None:
    """Move slice i by i * ``per_slice`` (along the row, along the column) mm."""
    for index, dataset in enumerate(maker.slices):
        row, column = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
        position = np.array(dataset.ImagePositionPatient, dtype=float)
        position += index * (per_slice[0] * row + per_slice[1] * column)
        dataset.ImagePositionPatient = [f"{value:.9f}"[:16] for value in position]


def _expected(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """HU of the linear field at every voxel of a grid."""
    index = np.stack([*np.indices(shape), np.ones(shape)], axis=-1)
    lps = (index @ affine.T)[..., :3] * [-1, -1, 1]
    return 1000 - 1024 + lps @ GRADIENT


@pytest.fixture
def without_two(series_maker: Maker, tmp_path: Path) -> Path:
    maker = series_maker(np.zeros((9, 4, 6), dtype=np.uint16), step=2.0)
    _linear(maker, (1.0, 1.0))
    del maker.slices[4:6]
    return maker.save(tmp_path / "ct")


def test_missing_slices_are_interpolated_on_the_even_grid(without_two: Path) -> None:
    series = load_series([without_two], allow=["missing-slices"])
    assert series.array.shape == (6, 4, 9)
    assert series.array.dtype == np.int16
    assert series.affine[2, 2] == pytest.approx(2.0)
    np.testing.assert_allclose(series.array, _expected(series.array.shape, series.affine), atol=0.51)
    assert series.notes == ("2 of 9 slices missing: filled by linear interpolation between neighbors",)
    assert len(series.files) == 7


@pytest.mark.parametrize(("allow", "remedy"), [((), "--allow missing-slices"), (("tilt",), "--allow missing-slices")])
def test_missing_slice_is_refused_unless_allowed(without_two: Path, allow: tuple[str, ...], remedy: str) -> None:
    with pytest.raises(CaseError, match=r"missing slice: a gap of 6\.00 mm, not 2\.00 mm") as caught:
        read_geometry([without_two], allow)
    assert remedy in str(caught.value)


def test_rounded_positions_keep_their_spacing_around_a_gap(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((41, 2, 2), dtype=np.uint16), step=0.625)
    for dataset in maker.slices:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z), 1)]
    del maker.slices[7]
    geometry = read_geometry([maker.save(tmp_path / "ct")], ["missing-slices"])
    assert geometry.shape[2] == 41
    assert geometry.affine[2, 2] == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("count", "step", "missing", "reason"),
    [
        (40, 2.0, {10, 11, 12, 13}, "a gap of 10.00 mm, not 2.00 mm.*too wide"),
        (40, 8.0, {10, 11}, "a gap of 24.00 mm, not 8.00 mm.*too wide"),
        (16, 2.0, {1, 2, 5, 6, 10, 11}, "6 of 16 slices are missing"),
    ],
)
def test_holes_are_not_filled(
    series_maker: Maker, tmp_path: Path, count: int, step: float, missing: set[int], reason: str
) -> None:
    maker = series_maker(np.zeros((count, 2, 2), dtype=np.uint16), step=step)
    maker.slices = [dataset for index, dataset in enumerate(maker.slices) if index not in missing]
    with pytest.raises(CaseError, match=f"missing slice: .*{reason}"):
        read_geometry([maker.save(tmp_path / "ct")], ["missing-slices", "tilt"])


@pytest.mark.parametrize(
    ("orientation", "shear", "has_gap"),
    [
        ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 0.7), False),
        ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.0, -0.7), True),
        (DOUBLE_OBLIQUE, (0.4, -0.3), True),
    ],
    ids=["towards-the-back", "towards-the-front-with-a-gap", "oblique-both-ways"],
)
def test_tilted_slices_are_resampled_to_a_rectangular_grid(
    series_maker: Maker, tmp_path: Path, orientation: Any, shear: tuple[float, float], has_gap: bool
) -> None:
    spacing = (0.5, 0.8)
    maker = series_maker(
        np.zeros((10, 8, 6), dtype=np.uint16), orientation=orientation, pixel_spacing=spacing, step=2.0
    )
    _shear(maker, shear, spacing)
    _linear(maker, spacing)
    if has_gap:
        del maker.slices[3]
    folder = maker.save(tmp_path / "ct")
    with pytest.raises(CaseError, match=r"gantry tilt: .*--allow tilt"):
        load_series([folder], allow=["missing-slices"])

    series = load_series([folder], allow=["missing-slices", "tilt"])
    row, column = np.array(orientation).reshape(2, 3)
    # Rectangular: columns of the affine are perpendicular and have the spacings of the source.
    steps = series.affine[:3, :3]
    np.testing.assert_allclose(steps.T @ steps, np.diag([0.8**2, 0.5**2, 2.0**2]), atol=1e-6)
    # The grid covers every corner of every slice.
    inverse = np.linalg.inv(series.affine)
    for dataset in maker.slices:
        position = np.array(dataset.ImagePositionPatient, dtype=float)
        for corner in (position, position + 5 * 0.8 * row + 7 * 0.5 * column):
            index = (inverse @ [*(corner * [-1, -1, 1]), 1])[:3]
            assert (index >= -1e-3).all()
            assert (index <= np.array(series.array.shape) - 1 + 1e-3).all()
    # Inside a slice values are those of the field, outside air.
    expected = _expected(series.array.shape, series.affine)
    covered = np.abs(series.array - expected) < 1.01
    assert covered.sum() >= 10 * 5 * 7  # a fraction of a pixel is lost at an edge
    assert (series.array[:, :, 0][~covered[:, :, 0]] == -1024).all()
    assert len(series.notes) == 1 + has_gap
    angle = np.degrees(np.arctan(np.hypot(*shear) / 2.0))
    assert series.notes[0].startswith(f"gantry tilt of {angle:.1f} degrees: resampled to a rectangular grid")


def test_tilt_beyond_any_gantry_is_refused(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((5, 4, 4), dtype=np.uint16), step=2.0)
    _shear(maker, (0.0, 1.5), (1.0, 1.0))
    with pytest.raises(CaseError, match=r"gantry tilt: .*36\.9 degrees.*no gantry"):
        read_geometry([maker.save(tmp_path / "ct")], ["tilt"])


def test_one_displaced_slice_is_not_a_tilt(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((9, 4, 4), dtype=np.uint16), step=2.0)
    x, y, z = maker.slices[4].ImagePositionPatient
    maker.slices[4].ImagePositionPatient = [x + 3, y, z]
    with pytest.raises(CaseError, match=r"uneven slice position: 00028\.dcm"):
        read_geometry([maker.save(tmp_path / "ct")], ["tilt", "missing-slices"])


def test_spacing_that_drifts_is_refused(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((40, 2, 2), dtype=np.uint16), step=1.0)
    depth = 0.0
    for index, dataset in enumerate(maker.slices):
        dataset.ImagePositionPatient = [0, 0, depth]
        depth += 0.95 if index < 20 else 1.05
    with pytest.raises(CaseError, match=r"uneven slice spacing: .* off an even grid"):
        read_geometry([maker.save(tmp_path / "ct")])


def test_unknown_irregularity_is_refused(without_two: Path) -> None:
    with pytest.raises(ValueError, match="allow: magic not known; give missing-slices or tilt"):
        load_series([without_two], allow=["magic"])
    with pytest.raises(ValueError, match="allow: magic not known; give missing-slices or tilt"):
        DicomSeriesReader(allow=["magic", "tilt"])


def test_masks_of_a_regular_series_lie_on_its_slices(
    series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    geometry = read_geometry([series_maker(stored_ramp, step=-2.0).save(tmp_path / "ct")])
    mask = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
    np.testing.assert_array_equal(masks_on_slices(mask, geometry), mask.transpose(2, 1, 0))
    with pytest.raises(ValueError, match="does not lie on"):
        masks_on_slices(mask[1:], geometry)


def test_masks_of_a_repaired_series_on_its_real_slices(series_maker: Maker, tmp_path: Path) -> None:
    spacing = (0.5, 0.8)
    maker = series_maker(np.zeros((10, 8, 6), dtype=np.uint16), pixel_spacing=spacing, step=2.0)
    _shear(maker, (0.0, 0.7), spacing)
    del maker.slices[3]
    geometry = read_geometry([maker.save(tmp_path / "ct")], ["missing-slices", "tilt"])
    assert geometry.shape == (6, 8 + 13, 10)
    assert geometry.size == (6, 8)
    # A half-space in patient coordinates, cut obliquely to the grid and to the slices.
    index = np.stack([*np.indices(geometry.shape), np.ones(geometry.shape)], axis=-1)
    grid_positions = index @ geometry.affine.T
    cut = np.array([0.9, 0.3, 0.2])

    def depth(positions: np.ndarray) -> np.ndarray:
        return (positions[..., :3] - [8.0, 20.0, 38.0]) @ cut

    masks = masks_on_slices((depth(grid_positions) > 0).astype(np.uint8), geometry)
    assert masks.shape == (9, 8, 6)
    assert 0 < masks.sum() < masks.size
    for mask, header in zip(masks, geometry.headers, strict=True):
        y, x = np.mgrid[:8, :6]
        position = np.array(header.dataset.ImagePositionPatient, dtype=float)
        ras = np.stack([-(position[0] + 0.8 * x), -(position[1] + 0.5 * y), np.full(x.shape, position[2])], axis=-1)
        differs = mask.astype(bool) != (depth(ras) > 0)
        # Nearest neighbor: only pixels within half a pixel's height of the cut may differ.
        assert (np.abs(depth(ras))[differs] <= 0.25 * 0.3 + 1e-6).all()


def test_notes_survive_batches_of_one(without_two: Path) -> None:
    load = LoadImage(reader=DicomSeriesReader(allow=["missing-slices"]), image_only=True)
    loader = DataLoader(Dataset([str(without_two)], transform=load), batch_size=1)
    batch = next(iter(loader))
    (image,) = decollate_batch(batch)
    assert list(image.meta["notes"]) == ["2 of 9 slices missing: filled by linear interpolation between neighbors"]


def test_regular_series_has_no_notes(series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    _, meta = DicomSeriesReader(allow=["missing-slices", "tilt"]).get_data([folder])
    assert meta["notes"] == []
    geometry: SeriesGeometry = read_geometry([folder], ["missing-slices", "tilt"])
    np.testing.assert_array_equal(geometry.corners, [[0, 0, i] for i in range(5)])
