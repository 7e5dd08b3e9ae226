"""The Python API: every kind of image gives the mask that its file gives, as its own kind."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch
from monai.data import MetaTensor
from PIL import Image

import s3net_monai
from s3net_monai.api import Result
from s3net_monai.inference import Bundle
from s3net_monai.utils.errors import UsageError
from tests.helpers.affines import OBLIQUE
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_tools import to_itk_image


def test_a_path_gives_an_array_with_its_geometry(volume: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(volume, OBLIQUE), tmp_path / "ct.nii.gz")
    result = s3net_monai.segment(tmp_path / "ct.nii.gz", bundle=lung)
    assert isinstance(result, Result)
    np.testing.assert_array_equal(result.mask, volume < -400.5)
    assert result.mask.dtype == np.uint8
    np.testing.assert_allclose(result.affine, OBLIQUE, atol=1e-5)
    assert result.labels == {"lung": 1}
    voxel_ml = abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000
    assert result.measures["volume_ml"] == pytest.approx(19 * voxel_ml, abs=1e-3)
    assert result.measures["mean_hu"] == pytest.approx((-800 * 18 - 401) / 19)


@pytest.mark.parametrize("kind", ["numpy", "tensor", "metatensor", "channel", "nibabel", "simpleitk"])
def test_every_kind_of_volume_comes_back_as_itself(kind: str, volume: np.ndarray, lung: Bundle) -> None:
    values = torch.from_numpy(volume)
    affine = torch.from_numpy(OBLIQUE)
    images: dict[str, Any] = {
        "numpy": volume,
        "tensor": values,
        "metatensor": MetaTensor(values, affine=affine),
        "channel": MetaTensor(values[None], affine=affine),
        "nibabel": nibabel.Nifti1Image(volume, OBLIQUE),
        "simpleitk": to_itk_image(volume, OBLIQUE),
    }
    image = images[kind]
    geometry = {"affine": OBLIQUE} if kind in ("numpy", "tensor") else {}
    result = s3net_monai.segment(image, bundle=lung, **geometry)
    mask = result.mask
    assert type(mask) is type(image)
    expected = (volume < -400.5).astype(np.uint8)
    if kind == "simpleitk":
        assert mask.GetOrigin() == image.GetOrigin()
        assert mask.GetDirection() == image.GetDirection()
        assert mask.GetSpacing() == image.GetSpacing()
        mask = SimpleITK.GetArrayFromImage(mask).T
    elif kind == "nibabel":
        np.testing.assert_array_equal(mask.affine, OBLIQUE)
        assert mask.get_data_dtype() == np.uint8
        mask = np.asanyarray(mask.dataobj)
    elif kind == "channel":
        assert mask.shape == (1, *volume.shape)
        mask = mask[0]
    if kind in ("metatensor", "channel"):
        np.testing.assert_array_equal(np.asarray(result.mask.affine), OBLIQUE)
    np.testing.assert_array_equal(np.asarray(mask), expected)
    np.testing.assert_allclose(result.affine, OBLIQUE, atol=1e-9)


def test_a_scaled_nifti_image_is_read_in_its_own_values(volume: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume, OBLIQUE)
    image.header.set_slope_inter(2.0, -100.0)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    by_path = s3net_monai.segment(tmp_path / "scaled.nii.gz", bundle=lung).mask
    in_memory = s3net_monai.segment(nibabel.load(tmp_path / "scaled.nii.gz"), bundle=lung).mask
    np.testing.assert_array_equal(np.asanyarray(in_memory.dataobj), by_path)
    assert in_memory.dataobj.max() == 1


def test_a_dicom_series_is_one_image(lung: Bundle, tmp_path: Path) -> None:
    stored = np.full((5, 4, 6), 1064, np.uint16)
    stored[1:3, 1:3, 2:4] = 224
    folder = SeriesMaker(stored).save(tmp_path / "series")
    mask = s3net_monai.segment(folder, bundle=lung).mask
    assert mask.sum() == 8
    np.testing.assert_array_equal(mask.any(axis=(0, 1)), [False, True, True, False, False])


def test_color_images_as_file_array_and_simpleitk(skin: Bundle, tmp_path: Path) -> None:
    pixels = np.zeros((9, 7, 3), np.uint8)
    pixels[2:5, 3:6, 0] = 200
    Image.fromarray(pixels.swapaxes(0, 1)).save(tmp_path / "lesion.png")
    expected = pixels[..., 0] > 127
    results = [
        s3net_monai.segment(image, bundle=skin).mask
        for image in (tmp_path / "lesion.png", pixels, pixels / 255.0, pixels.astype(np.float32))
    ]
    for mask in results:
        np.testing.assert_array_equal(mask, expected)
    channel_first = s3net_monai.segment(torch.from_numpy(pixels).movedim(-1, 0), bundle=skin).mask
    assert channel_first.shape == (1, 9, 7)
    vector = SimpleITK.GetImageFromArray(pixels.swapaxes(0, 1), isVector=True)
    mask = s3net_monai.segment(vector, bundle=skin).mask
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(mask).T, expected)


def test_nibabel_kinds_and_last_axes_come_back(volume: np.ndarray, lung: Bundle) -> None:
    image = nibabel.Nifti2Image(volume[..., None], OBLIQUE)
    image.header["cal_max"] = 300
    mask = s3net_monai.segment(image, bundle=lung).mask
    assert type(mask) is nibabel.Nifti2Image
    assert mask.shape == (*volume.shape, 1)
    assert mask.header["cal_max"] == 0
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj)[..., 0], volume < -400.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_precision_and_gray_images(dtype: torch.dtype, lung: Bundle, skin: Bundle) -> None:
    values = torch.full((4, 4, 4), -800.0, dtype=dtype, requires_grad=True)
    assert s3net_monai.segment(values, bundle=lung, spacing=(1, 1, 1)).mask.all()
    assert s3net_monai.segment(torch.full((1, 6, 5), 200), bundle=skin).mask.shape == (1, 6, 5)


def test_a_low_consistency_is_a_warning(skin: Bundle) -> None:
    class TwoViews:
        def views(self, image: torch.Tensor, network: torch.nn.Module) -> list[torch.Tensor]:
            return [network(image), network(255 - image)]

    pixels = np.zeros((9, 7, 3), np.uint8)
    pixels[2:5, 3:6, 0] = 200
    result = s3net_monai.segment(pixels, bundle=replace(skin, inferer=TwoViews()))
    assert result.consistency < 0.8
    assert any("is below 0.8: review the mask" in warning for warning in result.warnings)


def test_folders_are_evaluated_by_their_names(lung: Bundle, volume: np.ndarray, tmp_path: Path) -> None:
    mask = s3net_monai.segment(nibabel.Nifti1Image(volume, OBLIQUE), bundle=lung).mask
    for folder, name in (("masks", "a_seg.nii.gz"), ("labels", "a.nii.gz")):
        (tmp_path / folder).mkdir()
        nibabel.save(mask, tmp_path / folder / name)
    evaluation = s3net_monai.evaluate(str(tmp_path / "masks"), str(tmp_path / "labels"))
    assert evaluation.summary()["dice"]["mean"] == 1.0


def test_a_list_gives_a_list_in_its_order(skin: Bundle) -> None:
    dark, light = np.zeros((6, 5, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)
    light[1:4, 1:5] = 255
    results = s3net_monai.segment([dark, light], bundle=skin)
    assert [int(result.mask.sum()) for result in results] == [0, 12]
    assert results[0].warnings == ("all voxels of the image have the same value", "the mask is empty")
    assert results[1].warnings == ()


def test_a_checkpoint_takes_the_place_of_the_weights(lung_bundle: Path, volume: np.ndarray, tmp_path: Path) -> None:
    state = torch.load(lung_bundle / "models" / "model.pt", weights_only=True)
    torch.save({**state, "0.bias": torch.tensor([0.0, 1000.0])}, tmp_path / "mine.pt")
    loaded = s3net_monai.load_bundle("lung", bundle=lung_bundle, checkpoint=tmp_path / "mine.pt", device="cpu")
    assert s3net_monai.segment(volume, bundle=loaded, affine=OBLIQUE).mask.all()
    with pytest.raises(UsageError, match=r"absent\.pt: no such checkpoint; check the path"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, checkpoint=tmp_path / "absent.pt")


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, s3net_monai; s3net_monai.__version__; print(any(n in sys.modules for n in ('torch', 'monai')))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "False\n"


def test_names_of_the_front_door() -> None:
    assert {"segment", "evaluate", "load_bundle", "Result"} <= set(dir(s3net_monai))
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        _ = s3net_monai.segmnt
