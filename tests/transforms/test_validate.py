"""Tests of the validation of images and labels against the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from s3net_monai.transforms import ValidateChannelsd, ValidateLabelsd


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
