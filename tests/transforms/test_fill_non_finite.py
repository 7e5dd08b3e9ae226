"""Values that are not finite become background with a note; too many of them inside the body are refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from s3net_monai.transforms import FillNonFinited
from s3net_monai.utils.errors import CaseError


def body() -> np.ndarray:
    """A body of 40 in air of -1000, (1, 20, 20, 6)."""
    volume = np.full((1, 20, 20, 6), -1000, np.float32)
    volume[:, 5:15, 4:16] = 40
    return volume


def filled(volume: np.ndarray, percentile: float = 0.5) -> MetaTensor:
    image: MetaTensor = FillNonFinited("image", percentile)({"image": MetaTensor(torch.from_numpy(volume))})["image"]
    assert bool(torch.isfinite(image).all())
    return image


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0, 0), (10, 10, 3)])
def test_one_voxel_becomes_air(value: float, where: tuple[int, ...]) -> None:
    volume = body()
    volume[(0, *where)] = value
    image = filled(volume)
    expected = body()
    expected[(0, *where)] = -1000
    np.testing.assert_array_equal(image, expected)
    assert image.meta["notes"] == ["non-finite voxels (NaN or infinite) were read as background: 1 (0.042 %)"]


def test_a_surround_in_all_directions_becomes_air() -> None:
    volume = np.full((1, 30, 30, 10), np.nan, np.float32)
    volume[:, 5:25, 5:25, 2:8] = body()
    image = filled(volume)
    np.testing.assert_array_equal(image[:, 5:25, 5:25, 2:8], body())
    assert (image[:, :5] == -1000).all()
    assert "6600 (73 %)" in image.meta["notes"][0]


@pytest.mark.parametrize(
    "hole",
    [np.s_[:, 8:12, 8:12], np.s_[..., 2:4], np.s_[:, ::4, ::2], np.s_[:]],
    ids=["block", "slices", "grid", "all"],
)
def test_a_hole_in_the_body_is_refused(hole: tuple[slice, ...]) -> None:
    volume = body()
    volume[hole] = np.nan
    image = MetaTensor(torch.from_numpy(volume), meta={"filename_or_obj": "/home/jane_doe/ct.nii"})
    message = (
        r"^p01, ct\.nii: \d+% of the voxels inside the body are not finite \(NaN or infinite\), at most 5% expected"
    )
    with pytest.raises(CaseError, match=message):
        FillNonFinited("image")({"image": image, "case_id": "p01"})


def test_a_pixel_of_a_picture_is_filled_in_all_channels_with_skin() -> None:
    picture = np.stack([np.full((20, 20), value, np.float32) for value in (200, 150, 120)])
    picture[:, 8:12, 8:12] = 50
    picture[1, 3, 4] = np.nan
    image = filled(picture, percentile=50)
    assert image[:, 3, 4].tolist() == [200, 150, 120]
    assert image.meta["notes"] == ["non-finite pixels (NaN or infinite) were read as background: 1 (0.25 %)"]


def test_finite_images_pass_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    for image in (MetaTensor(torch.from_numpy(body())), torch.zeros(1, 4, 4, dtype=torch.int16)):
        with caplog.at_level(logging.WARNING, "s3net_monai"):
            assert FillNonFinited("image")({"image": image})["image"] is image
    assert caplog.messages == []


def test_a_training_hears_of_it_without_folders(caplog: pytest.LogCaptureFixture) -> None:
    volume = body()
    volume[0, 0, 0, 0] = np.nan
    image = MetaTensor(torch.from_numpy(volume), meta={"filename_or_obj": "/home/jane_doe/ct.nii"})
    with caplog.at_level(logging.WARNING, "s3net_monai"):
        FillNonFinited("image")({"image": image, "case_id": "p01"})
    assert caplog.messages == ["p01, ct.nii: non-finite voxels (NaN or infinite) were read as background: 1 (0.042 %)"]


def test_builds_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.FillNonFinited", "keys": "image", "percentile": 50}
    step = ConfigParser({"step": config}).get_parsed_content("step")
    assert step({"image": torch.tensor([[[1.0, 2.0, 3.0]]])})["image"].tolist() == [[[1.0, 2.0, 3.0]]]


def test_the_notes_of_readers_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """In training and ``monai.bundle run``, where no report has them."""
    meta = {"notes": ["3 missing slices were filled"], "filename_or_obj": "/home/jane_doe/ct.nii"}
    image = MetaTensor(torch.from_numpy(body()), meta=meta)
    with caplog.at_level(logging.WARNING):
        sample = FillNonFinited("image")({"image": image, "case_id": "p01"})
    assert caplog.messages == ["p01, ct.nii: 3 missing slices were filled"]
    assert sample["image"].meta["notes"] == ["3 missing slices were filled"]
