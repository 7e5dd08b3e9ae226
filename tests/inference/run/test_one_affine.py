"""A case has one affine: masks lie where nibabel and where ITK put the source, whatever its header says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

from s3net_monai.inference import Bundle, Settings, find_cases, load_bundle, run_batch
from s3net_monai.io import limits
from s3net_monai.monailabel.neighboring_images import neighboring_images
from tests.helpers.dicom_tools import foreground_positions, make_vl_image, read_with_simpleitk
from tests.helpers.nifti_headers import SHEARED, TURN, UPRIGHT, save_nifti

VOXEL_ML = 0.128
ROUNDED = np.round(TURN @ np.diag([0.7, 0.7, 5, 1]), 3)


@pytest.fixture(autouse=True)
def _real_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MIN_EXTENT_MM", 50.0)


@pytest.fixture
def hu() -> np.ndarray:
    """(20, 16, 12) without any symmetry: 19 voxels of lung."""
    array = np.full((20, 16, 12), 40, np.int16)
    array[2:5, 3:6, 1:3] = -800
    array[12, 10, 7] = -800
    return array


def run(path: Path, bundle: Path, output: Path, allow: tuple[str, ...] = (), task: str = "lung") -> dict[str, Any]:
    loaded: Bundle = load_bundle(task, bundle, torch.device("cpu"), allow=allow)
    settings = Settings(formats=("nifti", "segnrrd"), workers=0, allow=allow)
    run_batch(find_cases([path]).cases, loaded, output, settings=settings)
    (case,) = json.loads((output / "report.json").read_text())["cases"]
    return dict(case)


def masks(case: dict[str, Any], output: Path) -> tuple[Path, Path]:
    assert case["status"] == "ok", case["reason"]
    return output / case["outputs"]["nifti"], output / case["outputs"]["segnrrd"]


def check_places(source: Path, case: dict[str, Any], output: Path) -> None:
    """Every voxel of both masks lies where nibabel, or ITK, puts the voxel of the source."""
    nifti, segmentation = masks(case, output)
    stored = nibabel.load(source)
    lung = np.asarray(stored.dataobj) < -400
    written = nibabel.load(nifti)
    np.testing.assert_array_equal(np.asarray(written.dataobj), lung)
    np.testing.assert_allclose(written.affine, stored.affine, atol=1e-5)
    in_itk = foreground_positions(lung, read_with_simpleitk(source)[1])
    assert foreground_positions(*read_with_simpleitk(nifti)) == in_itk
    assert foreground_positions(*read_with_simpleitk(segmentation)) == in_itk


QUIET: dict[str, dict[str, Any]] = {
    "plain": {"sform": (UPRIGHT, 1), "qform": (UPRIGHT, 1)},
    "pixdim rounded, no qform": {"sform": (UPRIGHT, 1), "pixdim": [4.0002, 4, 8]},
    "oblique sform to three decimals": {"sform": (TURN @ ROUNDED, 1), "pixdim": [0.7, 0.7, 5]},
    "qform only": {"qform": (TURN @ UPRIGHT, 1)},
    "qfac 0": {"qform": (UPRIGHT @ np.diag([-1, 1, 1, 1]), 1), "qfac": 0},
    "forms that differ, sform of the scanner": {"sform": (TURN @ UPRIGHT, 1), "qform": (UPRIGHT, 1)},
}


@pytest.mark.parametrize("name", QUIET)
def test_masks_lie_on_the_source(name: str, hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    if name.startswith("oblique"):
        hu = np.pad(hu, [(0, 80), (0, 0), (0, 0)], constant_values=40)
    source = save_nifti(tmp_path / "a.nii.gz", hu, **QUIET[name])
    case = run(source, lung_bundle, tmp_path / "out")
    check_places(source, case, tmp_path / "out")
    assert not [line for line in case["warnings"] if "viewers" in line or "orientation" in line]


NAMED: dict[str, tuple[dict[str, Any], str]] = {
    "no codes": ({"sform": (UPRIGHT, 0), "qform": (UPRIGHT, 0)}, "states no orientation"),
    "sform 2": (
        {"sform": (TURN @ TURN @ UPRIGHT, 2), "qform": (UPRIGHT, 1)},
        "take the qform, not the sform, and show it up to",
    ),
    "sform 4": ({"sform": (TURN @ UPRIGHT, 4), "qform": (UPRIGHT, 2)}, "the .seg.nrrd lies there"),
    "sform 3, mirrored": (
        {"sform": (np.diag([-1.0, 1, 1, 1]) @ UPRIGHT, 3), "qform": (UPRIGHT, 1)},
        "the .seg.nrrd lies there",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_masks_lie_on_the_source_in_every_viewer_with_a_warning(
    name: str, hu: np.ndarray, lung_bundle: Path, tmp_path: Path
) -> None:
    fields, words = NAMED[name]
    source = save_nifti(tmp_path / "a.nii.gz", hu, **fields)
    case = run(source, lung_bundle, tmp_path / "out")
    check_places(source, case, tmp_path / "out")
    assert words in " ".join(case["warnings"])


def test_an_sform_without_qform_keeps_the_sides(hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    """The right lung is measured as right, though MONAI's own reader would turn the image by its empty qform."""
    hu[:] = 40
    hu[2:8, 4:12, 2:10] = hu[14:18, 4:12, 2:10] = -800
    right_first = np.diag([-1.0, 1, 1, 1]) @ UPRIGHT  # the first axis points to the right
    source = save_nifti(tmp_path / "a.nii.gz", hu, sform=(right_first, 1), pixdim=[4.0002, 4, 8])
    measures = run(source, lung_bundle, tmp_path / "out")["measures"]
    assert measures["left_ml"] == pytest.approx(6 * 8 * 8 * VOXEL_ML)
    assert measures["right_ml"] == pytest.approx(4 * 8 * 8 * VOXEL_ML)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "pixdim 1": ({"sform": (UPRIGHT, 1), "pixdim": [1, 1, 1]}, "1x1x1 by pixdim and of 4x4x8 by the sform"),
    "pixdim off by 2 %": ({"sform": (UPRIGHT, 1), "pixdim": [4, 4, 8.16]}, "by pixdim and of 4x4x8 by the sform"),
    "pixdim 0": ({"qform": (UPRIGHT, 1), "pixdim": [4, 4, 0]}, "voxel size 4x4x0 in pixdim"),
    "pixdim NaN": ({"sform": (UPRIGHT, 1), "pixdim": [4, np.nan, 8]}, "voxel size 4xnanx8 in pixdim"),
    "pixdim below 0": ({"sform": (UPRIGHT, 1), "pixdim": [-4, 4, 8]}, "voxel size -4x4x8 in pixdim"),
    "qfac -3": ({"qform": (UPRIGHT, 1), "qfac": -3}, "pixdim[0] is -3"),
    "shear": ({"sform": (SHEARED, 1), "pixdim": [4, 4, 8]}, "sheared by 12.0 degrees"),
    "slices and phases": (
        {"sform": (UPRIGHT @ np.diag([1, 1, 0, 1]), 1), "qform": (UPRIGHT, 1), "pixdim": [4, 4, 8]},
        "slices and phases are mixed",
    ),
    "meters without unit": ({"qform": (UPRIGHT @ np.diag([1e-3, 1e-3, 1e-3, 1]), 1)}, "spans 0.096 mm"),
    "microns without unit": ({"qform": (UPRIGHT @ np.diag([1e3, 1e3, 1e3, 1]), 1)}, "spans 9.6e+04 mm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_leave_the_place_open_are_refused(
    name: str, hu: np.ndarray, lung_bundle: Path, tmp_path: Path
) -> None:
    fields, reason = REFUSED[name]
    source = save_nifti(tmp_path / "a.nii", hu, **fields)
    case = run(source, lung_bundle, tmp_path / "out")
    assert case["status"] == "failed"
    assert reason in case["reason"]


def test_mixed_slices_and_phases_are_named_in_four_axes_too(hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    fields, reason = REFUSED["slices and phases"]
    source = save_nifti(tmp_path / "a.nii", np.stack([hu, hu], axis=-1), **fields)
    assert reason in run(source, lung_bundle, tmp_path / "out")["reason"]


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_units_of_nifti_are_read(unit: str, hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    scale = {"meter": 1e-3, "micron": 1e3}[unit]
    affine = np.diag([scale, scale, scale, 1]) @ UPRIGHT
    code = {"meter": 1, "micron": 3}[unit]
    source = save_nifti(tmp_path / "a.nii.gz", hu, sform=(affine, 1), qform=(affine, 1), xyzt_units=code)
    case = run(source, lung_bundle, tmp_path / "out")
    check_places(source, case, tmp_path / "out")
    assert case["measures"]["volume_ml"] == pytest.approx(19 * VOXEL_ML, abs=1e-3)


@pytest.mark.parametrize("qform", [(None, 0), (UPRIGHT, 1)])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_tilt_resamples_a_sheared_volume(
    suffix: str, qform: tuple[np.ndarray | None, int], lung_bundle: Path, tmp_path: Path
) -> None:
    """A ball of lung stays a ball at its place, in both masks and for every reader."""
    center, radius = (SHEARED @ [15, 15, 8, 1])[:3], 20.0
    indices = np.indices((30, 30, 16)).reshape(3, -1)
    world = SHEARED[:3, :3] @ indices + SHEARED[:3, 3:]
    inside = np.linalg.norm(world - center[:, None], axis=0) < radius
    hu = np.where(inside, -800, 40).reshape(30, 30, 16).astype(np.int16)
    source = tmp_path / f"a{suffix}"
    if suffix == ".nii.gz":
        save_nifti(source, hu, sform=(SHEARED, 1), qform=qform, pixdim=[4, 4, 8])
    else:
        write_itk(source, hu, SHEARED)
    assert "give --allow tilt" in run(source, lung_bundle, tmp_path / "refused")["reason"]
    case = run(source, lung_bundle, tmp_path / "out", allow=("tilt",))
    assert "sheared by 12.0 degrees: resampled to a rectangular grid" in " ".join(case["warnings"])
    places = []
    for path in masks(case, tmp_path / "out"):
        array, affine = read_with_simpleitk(path)
        np.testing.assert_allclose(affine[:3, :3], np.diag([-4, 4, 8]), atol=1e-4)
        # What the source does not cover is air, which the toy network takes for lung.
        index = (
            np.linalg.inv(SHEARED) @ affine @ np.vstack([np.indices(array.shape).reshape(3, -1), np.ones(array.size)])
        )
        covered = (index[1] > 0.5) & (index[1] < 28.5)
        places.append(foreground_positions(array * covered.reshape(array.shape), affine))
        np.testing.assert_allclose(np.mean(list(places[-1]), axis=0), center, atol=1.0)
        assert np.linalg.norm(np.array(list(places[-1])) - center, axis=1).max() < radius + 4
    assert places[0] == places[1]
    assert nibabel.load(masks(case, tmp_path / "out")[0]).shape == (30, 37, 16)


def write_itk(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    image = SimpleITK.GetImageFromArray(array.T)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))


def test_names_in_capitals_keep_the_header(hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    other = UPRIGHT @ np.diag([1, 1, 1, 1])
    other[:3, 3] += 3
    source = save_nifti(tmp_path / "A.NII.GZ", hu, sform=(UPRIGHT, 1), qform=(other, 3))
    case = run(source, lung_bundle, tmp_path / "out")
    written, stored = (nibabel.load(path).header for path in (masks(case, tmp_path / "out")[0], source))
    for field in ("qform_code", "qoffset_x", "srow_x", "sform_code", "pixdim"):
        np.testing.assert_array_equal(written[field], stored[field])
    assert int(written["qform_code"]) == 3


@pytest.mark.parametrize(("name", "content", "remedy"), [("a.nii", "gzip", "a.nii.gz"), ("a.nii.gz", "raw", "a.nii")])
def test_compression_against_the_name_has_a_remedy_that_helps(
    name: str, content: str, remedy: str, hu: np.ndarray, lung_bundle: Path, tmp_path: Path
) -> None:
    saved = save_nifti(tmp_path / ("b.nii.gz" if content == "gzip" else "b.nii"), hu, qform=(UPRIGHT, 1))
    source = saved.rename(tmp_path / name)
    reason = run(source, lung_bundle, tmp_path / "out")["reason"]
    assert reason.endswith(f"rename it to {remedy}")
    assert run(source.rename(tmp_path / remedy), lung_bundle, tmp_path / "out2")["status"] == "ok"


def test_an_sform_almost_at_right_angles_reads_back_in_itk(hu: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    """ITK refuses the source, whose mask gets a qform that ITK reads within half a millimeter of the sform."""
    bent = UPRIGHT.copy()
    bent[1, 2] = 8 * np.tan(np.radians(0.1))
    source = save_nifti(tmp_path / "a.nii.gz", hu, sform=(bent, 1), pixdim=[4, 4, 8])
    with pytest.raises(RuntimeError):
        SimpleITK.ReadImage(str(source))
    nifti, _ = masks(run(source, lung_bundle, tmp_path / "out"), tmp_path / "out")
    np.testing.assert_allclose(nibabel.load(nifti).affine, bent, atol=1e-5)
    np.testing.assert_allclose(read_with_simpleitk(nifti)[1], bent, atol=0.02)


def test_a_sheared_neighbor_is_not_trained_on(hu: np.ndarray, tmp_path: Path) -> None:
    save_nifti(tmp_path / "labeled.nii", hu, qform=(UPRIGHT, 1))
    save_nifti(tmp_path / "sheared.nii", hu, sform=(SHEARED, 1), pixdim=[4, 4, 8])
    whole = save_nifti(tmp_path / "whole.nii", hu, qform=(UPRIGHT, 1))
    labeled = [{"image": str(tmp_path / "labeled.nii"), "label": ""}]
    assert neighboring_images(labeled, 5) == [{"image": str(whole)}]


def test_pixel_spacing_counts_in_a_kind_of_dicom_that_itk_does_not_know(
    series_maker: Callable[..., Any], skin_bundle: Path, tmp_path: Path
) -> None:
    dataset = series_maker(np.zeros((1, 4, 6), np.uint16)).slices[0]
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1:3, 2:6, 0] = 200  # 8 pixels
    image = make_vl_image(
        dataset, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.7", PixelSpacing=["0.1", "0.2"], PixelData=pixels.tobytes()
    )
    image.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    case = run(tmp_path / "a.dcm", skin_bundle, tmp_path / "out", task="skin")
    assert case["measures"]["area_mm2"] == pytest.approx(8 * 0.1 * 0.2)
    assert "cannot open the image itself" in " ".join(case["notes"])
    nifti, segmentation = masks(case, tmp_path / "out")
    expected = {(round(-0.2 * x, 2), round(-0.1 * y, 2), 0.0) for x in range(2, 6) for y in (1, 2)}
    assert foreground_positions(*read_with_simpleitk(segmentation)) == expected
    flat = nibabel.load(nifti)
    assert foreground_positions(np.asarray(flat.dataobj)[..., None], flat.affine) == expected
