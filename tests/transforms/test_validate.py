"""Tests of the validation of images and labels against the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from PIL import Image

from s3net_monai.transforms import RefuseMasksd, ValidateChannelsd, ValidateLabelsd
from s3net_monai.utils.errors import CaseError


def label(values: Any, name: str = "/data/p01/label.nii.gz") -> MetaTensor:
    return MetaTensor(torch.tensor([values]), meta={"filename_or_obj": name})


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_class_values_pass_unchanged(dtype: torch.dtype) -> None:
    sample = {"label": label([[0, 1], [3, 2]]).to(dtype), "case_id": "a"}
    assert ValidateLabelsd("label", 4)(sample) == sample


@pytest.mark.parametrize(
    ("values", "defect"),
    [
        ([[0, 255]], "the values 255"),
        ([[4, 3]], "the values 4"),
        ([[-1, 0]], "the values -1"),
        ([[0.5, 1.0]], "the values 0.5"),
        ([[float("nan"), 1.0]], "the values nan"),
        ([list(range(12))], "the values 4, 5, 6, 7, 8, 9 and more"),
    ],
)
def test_other_values_are_refused_in_one_line(values: Any, defect: str) -> None:
    with pytest.raises(ValueError, match="expected one channel of whole numbers from 0 to 3") as refused:
        ValidateLabelsd("label", 4)({"label": label(values), "case_id": "p01_ed"})
    assert str(refused.value).startswith(f"p01_ed, label.nii.gz: {defect} under 'label'")
    assert "set out_channels" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_hot_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^p01_ed: 4 channels under 'label'"):
        ValidateLabelsd("label", 4)({"label": torch.zeros(4, 2, 2), "case_id": "p01_ed"})


def test_unlabeled_cases_pass_where_that_is_allowed() -> None:
    assert ValidateLabelsd("label", 4, allow_missing_keys=True)({"image": 1}) == {"image": 1}
    with pytest.raises(KeyError):
        ValidateLabelsd("label", 4)({"image": 1})


def test_other_channels_are_refused() -> None:
    sample = {"image": torch.zeros(1, 4, 4), "case_id": "a"}
    assert ValidateChannelsd("image", 1)(sample) == sample
    with pytest.raises(ValueError, match=r"^a: 1 channels under 'image', expected in_channels, 3; set in_channels"):
        ValidateChannelsd("image", 3)(sample)


def test_from_a_config() -> None:
    parser = ConfigParser(
        {
            "n": 3,
            "classes": {"_target_": "s3net_monai.transforms.ValidateLabelsd", "keys": "label", "num_classes": "@n"},
            "channels": {"_target_": "s3net_monai.transforms.ValidateChannelsd", "keys": "image", "channels": "@n"},
        }
    )
    assert parser.get_parsed_content("classes").num_classes == parser.get_parsed_content("channels").channels == 3


def picture(values: list[list[int]], name: str = "p01_mask.png") -> dict[str, Any]:
    return {"image": MetaTensor(torch.tensor([values]).float(), meta={"filename_or_obj": f"scans/{name}"})}


@pytest.mark.parametrize("high", [1, 254, 255])
def test_a_file_of_0_and_one_other_value_is_a_mask(high: int) -> None:
    message = rf"^p01_mask\.png: only the values 0 and {high}, so a mask; give the image itself$"
    with pytest.raises(CaseError, match=message):
        RefuseMasksd("image")(picture([[0, high], [0, 0]]))


def test_a_mask_in_jpeg_has_gray_edges(tmp_path: Path) -> None:
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 20:60] = 255
    Image.fromarray(mask).save(tmp_path / "a.jpg")
    decoded = np.asarray(Image.open(tmp_path / "a.jpg")).tolist()
    assert len(np.unique(decoded)) >= 2
    with pytest.raises(CaseError, match="so a mask"):
        RefuseMasksd("image")(picture(decoded, "a.jpg"))


def test_images_are_no_masks() -> None:
    for values in ([[0, 0]], [[7, 7]], [[0, 1, 2]], [[90, 200]]):
        RefuseMasksd("image")(picture(values))
    RefuseMasksd("image")(picture([list(range(256))], "gradient.jpg"))
    RefuseMasksd("image")({"image": torch.tensor([[[0, 255]]])})  # in memory
