"""Tests of the conversion of single slices to volumes, and of their geometry."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd
from PIL import Image

from s3net_monai.transforms import SliceToVolumed


def load(path: Path) -> MetaTensor:
    transforms = [LoadImaged("image"), EnsureChannelFirstd("image"), SliceToVolumed("image")]
    return Compose(transforms)({"image": path})["image"]


@pytest.mark.parametrize("shape", [(96, 48), (48, 96)])
def test_longer_side_is_the_field_of_view(shape: tuple[int, int]) -> None:
    image = torch.rand(1, *shape)
    result = SliceToVolumed("image")({"image": image, "case_id": "a"})
    volume = result["image"]
    assert torch.equal(volume.as_tensor(), image[..., None])
    assert torch.equal(volume.affine, torch.diag(torch.tensor([-4, -4, 1, 1], dtype=torch.float64)))
    assert torch.equal(volume.meta["original_affine"], volume.affine)
    assert volume.spatial_ndim == 3
    assert result["case_id"] == "a"


def test_field_of_view_is_a_setting() -> None:
    config = {"_target_": "s3net_monai.transforms.SliceToVolumed", "keys": "image", "field_of_view": 200.0}
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    assert transform({"image": torch.zeros(1, 50, 100)})["image"].pixdim.tolist() == [2, 2, 1]


def test_volumes_pass_unchanged() -> None:
    image = MetaTensor(torch.rand(1, 4, 5, 6), affine=torch.diag(torch.tensor([-1.0, 2, 3, 1])))
    assert SliceToVolumed("image")({"image": image})["image"] is image


@pytest.mark.filterwarnings("error:Setting affine")
def test_a_2d_image_file_keeps_its_name_without_a_warning(tmp_path: Path) -> None:
    stored = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(stored).save(tmp_path / "slice.png")
    volume = load(tmp_path / "slice.png")
    np.testing.assert_array_equal(volume[0, ..., 0], stored.T)
    assert volume.pixdim.tolist() == [48, 48, 1]
    assert volume.meta["filename_or_obj"] == str(tmp_path / "slice.png")


def test_a_nifti_slice_keeps_its_affine(tmp_path: Path) -> None:
    affine = np.array([[-0.7, 0, 0, 100], [0, -0.9, 0, 90], [0, 0, 5, -50], [0, 0, 0, 1.0]])
    values = np.random.default_rng(0).random((6, 8)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "slice.nii.gz")
    volume = load(tmp_path / "slice.nii.gz")
    assert volume.shape == (1, 6, 8, 1)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)
    np.testing.assert_allclose(volume.meta["original_affine"], affine, atol=1e-6)
    oriented = Orientationd("image", axcodes="RAS")({"image": volume})["image"]
    np.testing.assert_array_equal(oriented[0, ..., 0], values[::-1, ::-1])
    np.testing.assert_allclose(oriented.pixdim, [0.7, 0.9, 5], atol=1e-6)
