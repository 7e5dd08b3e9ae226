"""The gate of voxel values in all tasks and entrances: what the network and the report get to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from PIL import Image

import s3net_monai
from data_prep.phantom_cardiac import cardiac_phantom
from data_prep.phantom_lung import lung_phantom
from data_prep.phantom_skin import skin_phantom
from s3net_monai.inference import Bundle, bundle_root, find_cases, load_bundle
from s3net_monai.inference.run.batch import Settings, run_batch
from s3net_monai.inference.run.segmenter import preprocess, read_case
from s3net_monai.io.in_memory import channel_first, to_array_image
from s3net_monai.utils.errors import CaseError
from tests.helpers.ct_series import SeriesMaker

AFFINE = np.diag([-6.0, -6.0, 10.0, 1.0])
NOT_HU = "the values are not Hounsfield units, so none are measured"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lung() -> Bundle:
    return load_bundle("lung", bundle_root("lung"), CPU)


@pytest.fixture(scope="module")
def skin() -> Bundle:
    return load_bundle("skin", bundle_root("skin"), CPU)


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    return lung_phantom((60, 60, 24), seed=0)[0][..., 8:16].astype(np.float32)


def prepared(image: np.ndarray, bundle: Bundle, affine: np.ndarray | None = AFFINE) -> dict[str, Any]:
    """What Python's front door gives the network."""
    array_image = to_array_image(image, channels=bundle.task.channels, affine=affine)
    return preprocess({"image": channel_first(array_image)}, bundle, name="array")


def from_file(path: Path, bundle: Bundle) -> dict[str, Any]:
    return read_case(find_cases([path]).cases[0], bundle)


def save_nifti(path: Path, array: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return path


def save_itk(path: Path, array: np.ndarray) -> Path:
    image = SimpleITK.GetImageFromArray(array.T)
    image.SetSpacing((6.0, 6.0, 10.0))
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_a_voxel_that_is_not_finite_is_air_in_every_format(
    name: str, scan: np.ndarray, lung: Bundle, tmp_path: Path
) -> None:
    save = save_nifti if name.endswith(".gz") else save_itk
    damaged = scan.copy()
    damaged[0, 0, 0] = np.nan
    clean = from_file(save(tmp_path / name, scan), lung)
    sample = from_file(save(tmp_path / name, damaged), lung)
    torch.testing.assert_close(sample["image"].as_tensor(), clean["image"].as_tensor(), rtol=0, atol=0.02)
    assert sample["source"].notes == ("non-finite voxels (NaN or infinite) were read as background: 1 (0.0035 %)",)
    assert sample["source"].image[0, 0, 0] < -900
    assert clean["source"].notes == ()


def test_the_same_array_and_file_give_the_network_the_same(scan: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    damaged = scan.copy()
    damaged[:8] = np.nan
    by_file = from_file(save_nifti(tmp_path / "a.nii.gz", damaged), lung)
    by_array = prepared(damaged, lung)
    assert torch.equal(by_file["image"].as_tensor(), by_array["image"].as_tensor())
    assert by_file["source"].notes == by_array["source"].notes


def test_half_a_body_is_refused_by_name(scan: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    damaged = scan.copy()
    damaged[..., 2:6] = np.inf
    with pytest.raises(CaseError, match=r"a\.nii\.gz: \d+% of the voxels inside the body are not finite"):
        s3net_monai.segment(save_nifti(tmp_path / "a.nii.gz", damaged), bundle=lung)


def test_negative_values_that_wrapped_give_the_clean_image(scan: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    whole = np.round(scan).astype(np.int16)
    wrapped = from_file(save_nifti(tmp_path / "a.nii.gz", whole.view(np.uint16)), lung)
    clean = from_file(save_nifti(tmp_path / "b.nii.gz", whole), lung)
    assert torch.equal(wrapped["image"].as_tensor(), clean["image"].as_tensor())
    np.testing.assert_array_equal(wrapped["source"].image, whole)
    assert wrapped["source"].in_hu
    assert wrapped["source"].notes == ("its negative values had wrapped to unsigned 16 bits and were restored",)


def test_declared_padding_of_a_series_that_is_not_in_hu(scan: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    """The reader fills declared padding with -1024, which makes the rest no HU."""
    stored = np.round(scan + 1024).clip(0).astype(np.int16).transpose(2, 1, 0)
    x, y = np.meshgrid(*[np.linspace(-1, 1, 60)] * 2, indexing="ij")
    padded = np.where(x**2 + y**2 > 1, -2000, stored)
    clean = from_file(save_series(tmp_path / "clean", stored), lung)
    sample = from_file(save_series(tmp_path / "padded", padded.astype(np.int16), padding=-2000), lung)
    assert not sample["source"].in_hu
    assert sample["source"].notes[-1] == NOT_HU
    difference = (sample["image"] - clean["image"]).abs()
    assert float(difference.median()) < 0.02


def save_series(path: Path, stored: np.ndarray, padding: int | None = None) -> Path:
    maker = SeriesMaker(stored, pixel_spacing=(6.0, 6.0), step=10.0)
    for dataset in maker.slices:
        dataset.RescaleIntercept = 0
        if padding is not None:
            dataset.add_new("PixelPaddingValue", "SS", padding)
    return maker.save(path)


def test_report_and_python_say_it_alike(scan: np.ndarray, lung_bundle: Path, tmp_path: Path) -> None:
    """Through the whole run, with a bundle whose network takes no time."""
    config_path = lung_bundle / "configs" / "inference.json"
    config = json.loads(config_path.read_text())
    gate = [{"_target_": f"s3net_monai.transforms.{name}", "keys": "image"} for name in ("FillNonFinited", "CTValuesd")]
    config["preprocessing"]["transforms"][2:2] = gate
    config_path.write_text(json.dumps(config))
    bundle = load_bundle("lung", lung_bundle, CPU)
    shifted = scan + 1024
    shifted[0, 0, 0] = np.nan
    path = save_nifti(tmp_path / "a.nii.gz", shifted)
    entry = run_batch(find_cases([path]).cases, bundle, tmp_path / "out", settings=Settings(workers=0)).cases["a"]
    result = s3net_monai.segment(path, bundle=bundle)
    assert entry.status == "ok"
    assert entry.measures["median_hu"] is None
    assert entry.measures == result.measures
    assert entry.warnings == list(result.warnings)
    assert entry.warnings[:2] == [
        "non-finite voxels (NaN or infinite) were read as background: 1 (0.0035 %)",
        NOT_HU,
    ]
    preview = np.asarray(Image.open(tmp_path / "out" / "a_preview.jpg").convert("L"), dtype=float)
    assert preview.std() > 20  # in the window of HU, all but the lungs would be white


def test_a_picture_in_floating_point(skin: Bundle, tmp_path: Path) -> None:
    gray = skin_phantom((90, 70), seed=1)[0].mean(axis=2).astype(np.float32)
    damaged = gray.copy()
    skin_pixel = np.unravel_index(np.abs(gray - np.median(gray)).argmin(), gray.shape)
    damaged[skin_pixel] = np.nan
    for name, array in (("clean", gray), ("damaged", damaged)):
        Image.fromarray(array, mode="F").save(tmp_path / f"{name}.tif")
    clean, sample = (from_file(tmp_path / f"{name}.tif", skin) for name in ("clean", "damaged"))
    assert sample["source"].notes == ("non-finite pixels (NaN or infinite) were read as background: 1 (0.016 %)",)
    assert float((sample["image"] - clean["image"]).abs().max()) < 0.3
    assert float((sample["image"] - clean["image"]).abs().mean()) < 0.001
    damaged[30:60, 30:60] = np.nan
    Image.fromarray(damaged, mode="F").save(tmp_path / "hole.tif")
    with pytest.raises(CaseError, match=r"hole\.tif: \d+% of the pixels inside the object are not finite"):
        s3net_monai.segment(tmp_path / "hole.tif", bundle=skin)


def test_a_color_array_with_a_missing_pixel(skin: Bundle) -> None:
    picture = skin_phantom((90, 70), seed=1)[0].transpose(1, 0, 2).astype(np.float32)
    damaged = picture.copy()
    damaged[4, 5, 1] = np.nan
    clean, sample = prepared(picture, skin, None), prepared(damaged, skin, None)
    assert sample["source"].notes == ("non-finite pixels (NaN or infinite) were read as background: 1 (0.016 %)",)
    torch.testing.assert_close(sample["image"].as_tensor(), clean["image"].as_tensor(), rtol=0, atol=0.1)


def test_a_heart_with_a_missing_voxel(tmp_path: Path) -> None:
    cardiac = load_bundle("cardiac", bundle_root("cardiac"), CPU)
    stack = np.asarray(cardiac_phantom((60, 60, 4), seed=0)[0], dtype=np.float32)
    damaged = stack.copy()
    damaged[0, 0, 0] = np.nan
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    clean, sample = prepared(stack, cardiac, affine), prepared(damaged, cardiac, affine)
    torch.testing.assert_close(sample["image"].as_tensor(), clean["image"].as_tensor(), rtol=0, atol=0.3)
    assert len(sample["source"].notes) == 1


def test_a_frame_leaves_the_network_the_picture_alone(skin: Bundle, tmp_path: Path) -> None:
    picture = skin_phantom((90, 70), seed=1)[0]
    framed = np.full((140, 150, 3), 0, np.uint8)
    framed[20:90, 40:130] = picture
    for name, array in (("clean", picture), ("framed", framed)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    clean, sample = (from_file(tmp_path / f"{name}.png", skin) for name in ("clean", "framed"))
    assert torch.equal(sample["image"].as_tensor(), clean["image"].as_tensor())
    assert sample["source"].content == (slice(40, 130), slice(20, 90))
    results = [s3net_monai.segment(tmp_path / f"{name}.png", bundle=skin) for name in ("clean", "framed")]
    expected = np.zeros((150, 140), np.uint8)
    expected[40:130, 20:90] = results[0].mask
    assert expected.any()
    np.testing.assert_array_equal(results[1].mask, expected)
    assert results[1].consistency == results[0].consistency


def test_hot_pixels_of_a_slice_of_16_bits_do_not_count(lung: Bundle, tmp_path: Path) -> None:
    plane = (lung_phantom((96, 96, 9), seed=0)[0][..., 4].T + 1024).clip(0).astype(np.uint16)
    hot = plane.copy()
    hot[::20, ::20] = 65535
    for name, array in (("clean", plane), ("hot", hot)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    clean, sample = (from_file(tmp_path / f"{name}.png", lung)["image"] for name in ("clean", "hot"))
    assert float((sample - clean).abs().median()) < 0.02
    assert float(((sample - clean).abs() > 0.1).float().mean()) < 0.05
