"""A label loaded beside its image is on the grid on which the image is stored, before and after preprocessing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd, Resized
from PIL import Image

from s3net_monai.io import LabelReader, upright_rgb
from s3net_monai.transforms import LabelOnImaged

AFFINE = np.array([[0, -2.0, 0, 10], [3, 0, 0, -5], [0, 0, 4, 7], [0, 0, 0, 1]])
TRUTH = np.zeros((5, 4, 3), np.uint8)
TRUTH[0, 1:3, 2] = 1
TRUTH[3:, 0, 0] = 2


def load(*more: Any, **reader: Any) -> Compose:
    any_reader: Any = LabelReader(**reader)
    return Compose([LoadImaged("label", reader=any_reader), EnsureChannelFirstd("label"), *more])


def save(path: Path, array: np.ndarray, affine: np.ndarray) -> str:
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


@pytest.fixture
def mirrored(tmp_path: Path) -> dict[str, str]:
    """An image, and its label stored from the last voxel of the first axis to the first one."""
    flip = AFFINE.copy()
    flip[:3, 0] *= -1
    flip[:3, 3] += 4 * AFFINE[:3, 0]
    image = save(tmp_path / "ct.nii.gz", np.arange(60, dtype=np.int16).reshape(5, 4, 3), AFFINE)
    return {"image": image, "label": save(tmp_path / "truth.nii.gz", TRUTH[::-1].copy(), flip)}


def test_before_and_after_the_preprocessing_of_the_image(mirrored: dict[str, str]) -> None:
    read: list[Any] = [LoadImaged("image"), EnsureChannelFirstd("image")]
    turned: list[Any] = [Orientationd("image", axcodes="RAS", labels=None), Resized("image", spatial_size=(8, 8, 8))]
    for steps in ([*read, load(LabelOnImaged("label"))], [*read, *turned, load(LabelOnImaged("label"))]):
        label = Compose(steps)(mirrored)["label"]
        np.testing.assert_array_equal(label[0].numpy(), TRUTH)
        np.testing.assert_allclose(label.affine.numpy(), AFFINE)


def test_a_sample_without_a_label_passes(mirrored: dict[str, str]) -> None:
    del mirrored["label"]
    assert LabelOnImaged("label", allow_missing_keys=True)({"image": torch.zeros(1)}).keys() == {"image"}


def test_pictures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """EXIF turns the image; masks are drawn on stored pixels, are of another shape, or were resized."""
    exif = Image.Exif()
    exif[274] = 6
    stored = np.zeros((40, 60), np.uint8)
    stored[5:20, 10:20] = 1
    Image.fromarray(np.stack([stored * 200] * 3, axis=-1)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    transform = Compose(
        [
            LoadImaged("image", reader="PILReader", converter=upright_rgb),
            EnsureChannelFirstd("image"),
            load(LabelOnImaged("label"), binary=True),
        ]
    )
    Image.fromarray(stored.astype(np.uint16)).save(tmp_path / "stored.png")  # 16 bits of ones
    with caplog.at_level(logging.WARNING):
        sample = transform({"image": str(tmp_path / "a.jpg"), "label": str(tmp_path / "stored.png")})
    assert sample["image"].shape[1:] == sample["label"].shape[1:] == (40, 60)
    np.testing.assert_array_equal(sample["label"][0].numpy(), sample["image"][0].numpy() > 100)
    assert "turned by the EXIF orientation of a.jpg" in caplog.text
    Image.fromarray(stored[::2, ::2] * 255).save(tmp_path / "small.png")
    with pytest.raises(RuntimeError) as caught:
        transform({"image": str(tmp_path / "a.jpg"), "label": str(tmp_path / "small.png")})
    assert "small.png: label of 30x20, expected 40x60 as a.jpg" in str(caught.value.__cause__.__cause__)
