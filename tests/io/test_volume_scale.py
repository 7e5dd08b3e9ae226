"""Units, ends of axes and value scales of NRRD and MetaImage, most of which ITK ignores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s3net_monai.io import CaseError, Mask, limits, write_mask
from s3net_monai.io.volume_reader import load_volume
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_tools import foreground_positions, read_with_simpleitk

SHAPE = (30, 20, 10)
SIZE = np.array([3.0, 4.0, 5.0])  # mm
LPS = "space: left-posterior-superior"
DIRECTIONS = "space directions: (3,0,0) (0,4,0) (0,0,5)"


@pytest.fixture(autouse=True)
def _real_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MIN_EXTENT_MM", 50.0)


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype="<i2").reshape(SHAPE)


def save_nrrd(path: Path, array: np.ndarray, *fields: str) -> Path:
    sizes = " ".join(str(size) for size in array.shape)
    lines = ["NRRD0004", "type: short", "dimension: 3", f"sizes: {sizes}", "endian: little", "encoding: raw", *fields]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + array.tobytes(order="F"))
    return path


def save_meta(path: Path, array: np.ndarray, *fields: str) -> Path:
    sizes = " ".join(str(size) for size in array.shape)
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False", *fields]
    lines += [f"DimSize = {sizes}", "ElementType = MET_SHORT", "ElementDataFile = LOCAL", ""]
    path.write_bytes("\n".join(lines).encode() + array.tobytes(order="F"))
    return path


def directions(factor: float) -> str:
    return "space directions: " + " ".join(
        f"({','.join(f'{value * factor:.10g}' for value in row)})" for row in np.diag(SIZE)
    )


def sizes_in_mm(path: Path) -> np.ndarray:
    return np.linalg.norm(load_volume(path)[1][:3, :3], axis=0)


@pytest.mark.parametrize(
    ("unit", "mm"), [("mm", 1), ("um", 1e-3), ("µm", 1e-3), ("microns", 1e-3), ("cm", 10), ("m", 1000), ("Meters", 1e3)]
)
def test_space_units_of_nrrd(unit: str, mm: float, ramp: np.ndarray, tmp_path: Path) -> None:
    units = f'space units: "{unit}" "{unit}" "{unit}"'
    path = save_nrrd(tmp_path / "a.nrrd", ramp, LPS, units, directions(1 / mm), f"space origin: ({7 / mm},0,0)")
    array, affine, notes = load_volume(path)
    np.testing.assert_array_equal(array, ramp)
    np.testing.assert_allclose(affine, [[-3, 0, 0, -7], [0, -4, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]], rtol=1e-6)
    assert bool(notes) == (mm != 1)


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1), ("um", 1e-3), ("cm", 10), ("?", 1)])
def test_distance_units_of_metaimage(unit: str, mm: float, ramp: np.ndarray, tmp_path: Path) -> None:
    spacing = " ".join(f"{size / mm:.10g}" for size in SIZE)
    identity = "TransformMatrix = 1 0 0 0 1 0 0 0 1"
    path = save_meta(tmp_path / "a.mha", ramp, identity, f"ElementSpacing = {spacing}", f"DistanceUnits = {unit}")
    np.testing.assert_allclose(sizes_in_mm(path), SIZE, rtol=1e-6)
    assert bool(load_volume(path)[2]) == (mm != 1)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_masks_of_other_units_lie_where_itk_shows_the_image(suffix: str, ramp: np.ndarray, tmp_path: Path) -> None:
    if suffix == ".nrrd":
        path = save_nrrd(tmp_path / "a.nrrd", ramp, LPS, directions(0.1), 'space units: "cm" "cm" "cm"')
    else:
        path = save_meta(tmp_path / "a.mha", ramp, "ElementSpacing = .3 .4 .5", "DistanceUnits = cm")
    array, affine, _ = load_volume(path)
    mask = (array % 7 == 0).astype(np.uint8)
    written = {
        name: write_mask(
            Mask(
                array=mask, affine=affine, source=(path,), labels=TASKS["lung"].labels, model_name="", model_version=""
            ),
            tmp_path,
            case_id="a",
            format_name=name,
        )
        for name in ("segnrrd", "nifti")
    }
    seen = foreground_positions(mask, read_with_simpleitk(path)[1])
    assert foreground_positions(*read_with_simpleitk(written["segnrrd"])) == seen
    np.testing.assert_allclose(
        np.linalg.norm(read_with_simpleitk(written["nifti"])[1][:3, :3], axis=0), SIZE, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("centers", "ends"),
    [
        ("", "90 80 50"),
        ("centers: cell cell cell", "90 80 50"),
        ("centerings: node node node", "87 76 45"),
    ],
)
def test_axis_mins_and_maxs_of_nrrd(centers: str, ends: str, ramp: np.ndarray, tmp_path: Path) -> None:
    fields = ["axis mins: 0 0 0", f"axis maxs: {ends}", *([centers] if centers else [])]
    path = save_nrrd(tmp_path / "a.nrrd", ramp, *fields)
    np.testing.assert_allclose(sizes_in_mm(path), SIZE)
    assert "voxel size from 'axis mins' and 'axis maxs'" in " ".join(load_volume(path)[2])


def test_value_scale_of_metaimage_is_applied(ramp: np.ndarray, tmp_path: Path) -> None:
    scale = ["ElementToIntensityFunctionSlope = 0.5", "ElementToIntensityFunctionOffset = -1024"]
    path = save_meta(tmp_path / "a.mha", ramp, *scale, "ElementSpacing = 3 4 5")
    array, _, notes = load_volume(path)
    np.testing.assert_array_equal(array, ramp * 0.5 - 1024)
    assert "ElementToIntensityFunction of 0.5, -1024 applied" in " ".join(notes)


NRRD_REFUSALS: list[tuple[list[str], str]] = [
    ([], "voxel size none found"),
    (["spacings: 3 nan 5"], "voxel size 3xnanx5 found"),
    (["axis mins: 0 0 nan", "axis maxs: 90 80 50"], "voxel size 3x4xnan found"),
    ([LPS, DIRECTIONS, 'space units: "inch" "inch" "inch"'], "space units 'inch' found"),
    ([LPS, DIRECTIONS, 'space units: "mm" "mm" "cm"'], "space units cm, mm found, one expected"),
    ([LPS, DIRECTIONS, "old min: -1000", "old max: 1000"], "quantized values"),
    ([LPS, directions(1e-3)], "spans 0.09 mm with voxels of 0.003x0.004x0.005 mm, 50 to 3000 mm expected"),
    ([LPS, directions(1e3)], "spans 9e+04 mm"),
    ([LPS, "space directions: (3,0,0) (0,4,0) (0,1,5)"], "sheared by 11.3 degrees"),
]


@pytest.mark.parametrize(("fields", "reason"), NRRD_REFUSALS)
def test_nrrd_is_refused(fields: list[str], reason: str, ramp: np.ndarray, tmp_path: Path) -> None:
    path = save_nrrd(tmp_path / "a.nrrd", ramp, *fields)
    with pytest.raises(CaseError) as refusal:
        load_volume(path)
    assert reason in str(refusal.value)


META_REFUSALS: list[tuple[list[str], str]] = [
    ([], "voxel size none found, ElementSpacing with three sizes above 0 expected"),
    (["ElementSpacing = 0 4 5"], "voxel size 0x4x5 found"),
    (["ElementSpacing = 3 4 5", "DistanceUnits = inch"], "DistanceUnits 'inch' found"),
    (["ElementSpacing = 3 4 5", "ElementToIntensityFunctionSlope = 0"], "ElementToIntensityFunction found without"),
    (["ElementSpacing = 3 4 5", "ElementToIntensityFunctionSlope = nan"], "ElementToIntensityFunction found without"),
    (["ElementSpacing = 3 4 5", "TransformMatrix = 2 0 0 0 1 0 0 0 1"], "directions of a length other than 1"),
    (["ElementSpacing = 3 4 5", "TransformMatrix = 1 0 0 0 1 0 0 .2 .9798"], "sheared by 11.5 degrees"),
    (["ElementSpacing = .003 .004 .005"], "spans 0.09 mm"),
]


@pytest.mark.parametrize(("fields", "reason"), META_REFUSALS)
def test_metaimage_is_refused(fields: list[str], reason: str, ramp: np.ndarray, tmp_path: Path) -> None:
    path = save_meta(tmp_path / "a.mha", ramp, *fields)
    with pytest.raises(CaseError) as refusal:
        load_volume(path)
    assert reason in str(refusal.value)


def test_element_size_stands_in_for_the_spacing(ramp: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_allclose(sizes_in_mm(save_meta(tmp_path / "a.mha", ramp, "ElementSize = 3 4 5")), SIZE)


@pytest.mark.parametrize("fields", [["spacings: 3 4 5"], ["space dimension: 3", DIRECTIONS]])
def test_nrrd_without_orientation_has_a_note(fields: list[str], ramp: np.ndarray, tmp_path: Path) -> None:
    _, affine, notes = load_volume(save_nrrd(tmp_path / "a.nrrd", ramp, *fields))
    np.testing.assert_allclose(affine[:3, :3], np.diag([-3, -4, 5]))
    assert "states no orientation" in " ".join(notes)


@pytest.mark.parametrize("suffix", [".NRRD", ".MHA", ".Nrrd"])
def test_names_in_capitals(suffix: str, ramp: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / f"A{suffix}"
    if suffix == ".MHA":
        save_meta(path, ramp, "ElementSpacing = 3 4 5", "TransformMatrix = 1 0 0 0 1 0 0 0 1")
    else:
        save_nrrd(path, ramp, LPS, DIRECTIONS)
    np.testing.assert_array_equal(load_volume(path)[0], ramp)
