"""One case: the mask is on the grid of its source, and unusable inputs are refused in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai.inference import Bundle, find_cases, load_bundle
from s3net_monai.inference.run.segmenter import Segmentation, infer_sample, read_case
from s3net_monai.inference.run.validate_input import failure_reason

ANGLE = np.deg2rad(15)
ROTATION = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
GRIDS = {
    "identity": (np.diag([1.0, 1, 1, 1]), (6, 5, 4)),
    "LPS": (np.diag([-0.8, -0.8, 2.5, 1]), (6, 5, 4)),
    "negative diagonal": (np.diag([-1.0, -2, -3, 1]), (6, 5, 4)),
    "oblique": (
        np.block([[ROTATION @ np.diag([0.7, 0.7, 5]), np.array([[10.0], [-20], [30]])], [np.zeros((1, 3)), 1]]),
        (6, 5, 4),
    ),
    "anisotropic": (np.diag([0.5, 0.9, 7, 1]), (6, 5, 4)),
    "permuted": (np.array([[0.0, 0, 2, 1], [-1, 0, 0, 2], [0, 3, 0, 3], [0, 0, 0, 1]]), (6, 5, 4)),
    "single slice": (np.diag([-0.7, -0.7, 5, 1]), (6, 5, 1)),
}


def segment(path: Path, bundle: Bundle) -> Segmentation:
    return infer_sample(read_case(find_cases([path]).cases[0], bundle), bundle)


def refusal(path: Path, bundle: Bundle) -> str:
    case = find_cases([path]).cases[0]
    try:
        infer_sample(read_case(case, bundle), bundle)
    except Exception as error:  # any kind, as the batch run catches any
        line = failure_reason(error, case)
    else:
        pytest.fail(f"{path.name} was not refused")
    assert "\n" not in line
    assert path.name in line
    return line


@pytest.mark.parametrize("name", GRIDS)
def test_volume_keeps_its_grid(name: str, bundle: Bundle, tmp_path: Path) -> None:
    affine, shape = GRIDS[name]
    hu = np.random.default_rng(1).integers(-1000, 200, shape).astype(np.int16)
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "a.nii.gz")
    result = segment(tmp_path / "a.nii.gz", bundle)
    np.testing.assert_array_equal(result.mask, hu < -400.5)
    np.testing.assert_allclose(result.affine, affine, atol=1e-5)
    assert result.mask.dtype == np.uint8
    assert result.consistency is None  # the toy's inferer has no views


def test_dicom_series_keeps_its_grid(bundle: Bundle, series_maker: Callable[..., Any], tmp_path: Path) -> None:
    stored = np.random.default_rng(2).integers(0, 1300, (5, 4, 6)).astype(np.uint16)
    orientation = (*ROTATION[:, 0], *ROTATION[:, 1])
    folder = series_maker(stored, orientation=orientation, pixel_spacing=(0.5, 0.9)).save(tmp_path / "ct")
    result = segment(folder, bundle)
    np.testing.assert_array_equal(result.mask, stored.transpose(2, 1, 0) < 1024 - 400.5)
    np.testing.assert_allclose(np.linalg.norm(result.affine[:3, :3], axis=0), [0.9, 0.5, 2.0])


def test_a_slice_as_2d_image_gives_a_2d_mask(bundle: Bundle, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 7), dtype=np.uint8)).save(tmp_path / "a.png")
    result = segment(tmp_path / "a.png", bundle)
    assert result.mask.shape == (7, 4)
    np.testing.assert_array_equal(result.affine, np.eye(4))


def test_any_2d_image_suits_the_color_task(skin_bundle: Path, tmp_path: Path) -> None:
    skin = load_bundle("skin", skin_bundle, torch.device("cpu"))
    pixels = np.zeros((4, 7), dtype=np.uint8)
    pixels[1, 2:5] = 200
    for mode in ("L", "RGB", "RGBA", "P", "1"):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(pixels).convert(mode).save(path)
        result = segment(path, skin)
        np.testing.assert_array_equal(result.mask.T, pixels > 100, err_msg=mode)


class TwoViews:
    """Class probabilities of two views, of which the second swaps the classes of the first voxel along x."""

    def views(self, image: torch.Tensor, network: torch.nn.Module) -> Iterator[torch.Tensor]:
        first = network(image)
        assert not first.requires_grad  # a graph over a volume would not fit into memory
        second = first.clone()
        second[:, :, 0] = second[:, :, 0].flip(1)
        yield first
        yield second


def test_views_are_averaged_and_their_agreement_reported(bundle: Bundle, tmp_path: Path) -> None:
    hu = np.zeros((4, 1, 1), dtype=np.int16)
    hu[:2] = -1000
    nib.save(nib.Nifti1Image(hu, np.eye(4)), tmp_path / "a.nii.gz")
    result = segment(tmp_path / "a.nii.gz", replace(bundle, inferer=TwoViews()))
    # Voxel 0: probabilities (0, 1) and (1, 0), a tie that goes to the background.
    assert result.mask.ravel().tolist() == [0, 1, 0, 0]
    assert result.consistency == pytest.approx((2 / 3 + 1) / 2)


def test_quality_factor_of_the_bundle_scales_the_consistency(bundle: Bundle, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((4, 1, 1), -1000, dtype=np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    plain = replace(bundle, inferer=TwoViews())
    with_quality_factor = replace(
        plain, postprocessing=lambda sample: {**bundle.postprocessing(sample), "quality_factor": 0.5}
    )
    expected = segment(tmp_path / "a.nii.gz", plain).consistency
    assert expected is not None
    assert segment(tmp_path / "a.nii.gz", with_quality_factor).consistency == pytest.approx(expected / 2)


def test_volume_of_frames_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3, 2), dtype=np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    assert "shape 3x3x3x2 has several channels" in refusal(tmp_path / "a.nii.gz", bundle)


def test_volume_for_the_color_task_is_refused(skin_bundle: Path, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    skin = load_bundle("skin", skin_bundle, torch.device("cpu"))
    assert "volume of 3x3x3, this task expects 2-D color images" in refusal(tmp_path / "a.nii.gz", skin)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.png", "a.jpg"])
def test_damaged_files_are_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith((".png", ".jpg")):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    else:
        noise = np.random.default_rng(0).integers(0, 999, (16, 16, 16)).astype(np.int16)
        nib.save(nib.Nifti1Image(noise, np.eye(4)), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refusal(path, bundle)
    path.write_bytes(b"nothing like an image")
    assert "not readable" in refusal(path, bundle)
    path.write_bytes(b"")
    assert "not readable" in refusal(path, bundle)


def test_singular_affine_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), None)
    image.set_sform(np.diag([1.0, 1, 0, 1]), 1)
    nib.save(image, tmp_path / "a.nii.gz")
    assert "affine" in refusal(tmp_path / "a.nii.gz", bundle)


def test_memory_error_has_advice(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert "not enough memory" in failure_reason(MemoryError(), find_cases([tmp_path / "a.png"]).cases[0])


def test_only_a_truncated_file_is_to_be_copied_again(bundle: Bundle, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-900, 900, (9, 9, 9), dtype=np.int16)
    for name in ("a.nii", "b.nii.gz"):
        nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / name)
    zipped = (tmp_path / "b.nii.gz").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(zipped[: len(zipped) * 3 // 4])
    line = refusal(tmp_path / "b.nii.gz", bundle)
    assert line.startswith("b.nii.gz: damaged or cut off (")
    assert line.endswith("copy the file again")
    case = find_cases([tmp_path / "a.nii"]).cases[0]
    chunk = failure_reason(struct.error("unpack_from requires a buffer"), case)  # what Pillow raises for a cut PNG
    assert chunk == "a.nii: damaged or cut off; copy the file again"
    full = failure_reason(OSError(28, "No space left on device"), case)
    assert "No space left on device" in full
    assert "copy" not in full


def test_a_file_that_no_reader_of_a_bundle_takes_is_looked_at_by_ours_alone(tmp_path: Path) -> None:
    """Pillow itself would open any of its formats, some of which start programs, whatever the name says."""
    Image.new("L", (8, 6), 90).save(tmp_path / "a.png")
    Image.new("L", (8, 6), 90).save(tmp_path / "b.png", format="GIF")
    nobody = RuntimeError("LoadImage cannot find a suitable reader for file")
    first, second = (failure_reason(nobody, find_cases([tmp_path / name]).cases[0]) for name in ("a.png", "b.png"))
    assert first == "a.png: not readable; convert it to PNG"
    assert second == "b.png: not readable as a 2-D image (cannot identify image file 'b.png'); copy it again"


def test_the_source_is_kept_as_it_was_read(bundle: Bundle, skin_bundle: Path, tmp_path: Path) -> None:
    hu = np.random.default_rng(4).integers(-1000, 200, (6, 5, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(hu, np.diag([-1.0, 2, 3, 1])), tmp_path / "a.nii.gz")
    source = read_case(find_cases([tmp_path / "a.nii.gz"]).cases[0], bundle)["source"]
    np.testing.assert_array_equal(source.image, hu)
    assert source.image.dtype == np.int16
    rgb = np.random.default_rng(5).integers(0, 256, (4, 7, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    skin = load_bundle("skin", skin_bundle, torch.device("cpu"))
    source = read_case(find_cases([tmp_path / "a.png"]).cases[0], skin)["source"]
    np.testing.assert_array_equal(source.image, rgb.transpose(1, 0, 2))
    assert source.spacing is None
    assert source.notes == ()


def test_voxels_beyond_int16_are_clipped_in_the_source(bundle: Bundle, tmp_path: Path) -> None:
    values = np.array([1e9, -1e9, np.nan, 0.4], dtype=np.float32).reshape(4, 1, 1)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    source = read_case(find_cases([tmp_path / "a.nii"]).cases[0], bundle)["source"]
    assert source.image.ravel().tolist() == [32767, -32768, 0, 0]
