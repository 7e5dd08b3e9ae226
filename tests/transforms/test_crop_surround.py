"""A frame around a picture is cropped and comes back; skin, lesions and round fields of view are not cropped."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from PIL import Image

from data_prep.phantom_skin import skin_phantom
from s3net_monai.transforms import CropSurroundd
from s3net_monai.transforms.crop_surround import content_box

WHOLE = (slice(0, 150), slice(0, 120))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(3, 80, 60) of skin with a lesion, from 0 to 255."""
    return skin_phantom((80, 60), seed=1)[0].transpose(2, 1, 0).astype(np.float32)


def framed(picture: np.ndarray, color: tuple[int, ...], left: int = 30, top: int = 25) -> np.ndarray:
    """(3, 150, 120); the default frame takes 73 %."""
    result = np.empty((3, 150, 120), np.float32)
    result[:] = np.array(color).reshape(3, 1, 1)
    result[:, left : left + 80, top : top + 60] = picture
    return result


@pytest.mark.parametrize("level", [0, 10, 255, 114])
@pytest.mark.parametrize(("left", "top"), [(30, 25), (0, 40), (70, 60)])
def test_a_frame_is_cropped(level: int, left: int, top: int, picture: np.ndarray) -> None:
    box = content_box(framed(picture, (level, level, level), left, top))
    assert box == (slice(left, left + 80), slice(top, top + 60))


@pytest.mark.parametrize("level", [0, 255])
def test_a_frame_in_jpeg_is_cropped_but_for_its_blurred_edge(level: int, picture: np.ndarray) -> None:
    stored = io.BytesIO()
    image = framed(picture, (level, level, level))
    Image.fromarray(image.transpose(2, 1, 0).astype(np.uint8)).save(stored, "JPEG", quality=85)
    box = content_box(np.asarray(Image.open(stored)).transpose(2, 1, 0).astype(np.float32))
    for part, (first, end) in zip(box, ((30, 110), (25, 85)), strict=True):
        assert first - 16 <= part.start <= first
        assert end <= part.stop <= end + 16


def test_what_is_no_frame_stays(picture: np.ndarray) -> None:
    for color in ((200, 150, 130), (60, 60, 255)):  # skin, a cloth
        assert content_box(framed(picture, color)) == WHOLE
    dark_rim = framed(picture, (0, 0, 0))[:, 28:112, 23:87]
    assert content_box(dark_rim) == (slice(0, 84), slice(0, 64))  # 11 % of it, which changes little
    bright_rim = framed(picture, (255, 255, 255))[:, 28:112, 23:87]
    assert content_box(bright_rim) == (slice(2, 82), slice(2, 62))
    assert content_box(np.full((3, 150, 120), 255.0)) == WHOLE
    x, y = np.ogrid[:150, :120]
    lesion = np.where((x - 75) ** 2 / 40**2 + (y - 60) ** 2 / 30**2 < 1, 90.0, 255.0)
    assert content_box(np.stack([lesion + 0, lesion - 20, lesion - 30]).clip(0, 255)) == WHOLE
    fading = np.clip(230 + np.abs(np.linspace(-40, 40, 150)), 0, 255)[None, :, None].repeat(120, 2)
    assert content_box(np.concatenate([fading, fading - 0.5, fading - 1])) == WHOLE  # overexposed skin
    block = np.full((3, 150, 120), 200.0)
    block[:, 50:90, 40:80] = 90.0  # a gray picture
    assert content_box(block) == WHOLE


def test_a_round_field_of_view_stays(picture: np.ndarray) -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 80), np.linspace(-1, 1, 60), indexing="ij")
    rounded = np.where(x**2 + y**2 < 1.05, picture, 0)
    assert content_box(rounded) == (slice(0, 80), slice(0, 60))
    box = content_box(framed(rounded, (0, 0, 0)))
    for part, (first, end) in zip(box, ((30, 110), (25, 85)), strict=True):  # at most what the circle hardly reaches
        assert first <= part.start <= first + 3
        assert end - 3 <= part.stop <= end


def test_a_mask_comes_back_on_the_whole_picture(picture: np.ndarray) -> None:
    steps = Compose([CropSurroundd("image")])
    image = MetaTensor(torch.from_numpy(framed(picture, (0, 0, 0))))
    sample = steps({"image": image})
    assert sample["image"].meta["content_box"] == [(30, 110), (25, 85)]
    sample["pred"] = MetaTensor(torch.ones(1, 80, 60))
    mask = Invertd("pred", steps, orig_keys="image", nearest_interp=False)(sample)["pred"]
    expected = torch.zeros(1, 150, 120)
    expected[:, 30:110, 25:85] = 1
    assert torch.equal(mask.as_tensor(), expected)
    np.testing.assert_array_equal(mask.affine, np.eye(4))


def test_a_picture_without_a_frame_passes_and_comes_back(picture: np.ndarray) -> None:
    crop = CropSurroundd("image")
    sample = crop({"image": MetaTensor(torch.from_numpy(picture))})
    np.testing.assert_array_equal(sample["image"], picture)
    np.testing.assert_array_equal(crop.inverse(sample)["image"], picture)


def test_a_label_is_cropped_with_its_picture(picture: np.ndarray) -> None:
    crop = CropSurroundd(["image", "label"], allow_missing_keys=True)
    image, label = torch.from_numpy(framed(picture, (255, 255, 255))), torch.zeros(1, 150, 120)
    label[:, 30, 25] = 1
    sample = crop({"image": MetaTensor(image), "label": MetaTensor(label)})
    assert sample["label"].shape == (1, 80, 60)
    assert sample["label"][0, 0, 0] == 1
    assert crop({"image": MetaTensor(image)})["image"].shape == (3, 80, 60)
    with pytest.raises(ValueError, match=r"p1: 75x60 pixels under 'label', 150x120 of its image expected"):
        crop({"image": MetaTensor(image), "label": MetaTensor(label[:, ::2, ::2]), "case_id": "p1"})


def test_builds_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.CropSurroundd", "keys": ["image"], "min_black": 0.5}
    step = ConfigParser({"step": config}).get_parsed_content("step")
    assert step({"image": MetaTensor(torch.ones(3, 4, 5))})["image"].shape == (3, 4, 5)
