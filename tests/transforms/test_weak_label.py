"""Tests of the dictionary transforms that add weak labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from s3net_monai.transforms import (
    CenterWeakLabeld,
    LungWeakLabeld,
    SkinWeakLabeld,
    WeakLabeld,
    lung_weak_label,
    skin_weak_label,
)
from s3net_monai.transforms.skin_labeling import center_weight

IMAGES = {
    "skin": torch.nn.functional.pad(torch.full((3, 10, 12), 0.2), (8, 10, 9, 9), value=0.8),
    "lung": torch.nn.functional.pad(torch.full((1, 8, 8, 2), 0.1), (0, 0, 6, 6, 6, 8), value=0.75),
}
TRANSFORMS = {"skin": SkinWeakLabeld, "lung": LungWeakLabeld}
LABELING = {"skin": skin_weak_label, "lung": lung_weak_label}


@pytest.mark.parametrize("task", ["skin", "lung"])
@pytest.mark.parametrize("kind", [MetaTensor, torch.Tensor, np.ndarray])
def test_adds_the_weak_label_and_changes_nothing_else(task: str, kind: type) -> None:
    image = {MetaTensor: MetaTensor, torch.Tensor: torch.clone, np.ndarray: np.asarray}[kind](IMAGES[task])
    sample = {"image": image, "case_id": "a"}
    result = TRANSFORMS[task]("image")(sample)
    assert set(result) == {"image", "case_id", "weak_label"}
    assert set(sample) == {"image", "case_id"}
    assert result["image"] is image
    assert result["weak_label"].shape == (1, *image.shape[1:])
    assert result["weak_label"].dtype == torch.float32
    np.testing.assert_array_equal(result["weak_label"][0], LABELING[task](IMAGES[task].numpy()))
    assert 0 < result["weak_label"].mean() < 1


def test_key_of_the_weak_label_is_a_setting() -> None:
    result = ConfigParser(
        {
            "weak_label": {
                "_target_": "s3net_monai.transforms.LungWeakLabeld",
                "keys": "ct",
                "weak_label_key": "evidence",
            }
        }
    ).get_parsed_content("weak_label")({"ct": IMAGES["lung"]})
    assert set(result) == {"ct", "evidence"}


def test_the_center_depends_on_the_shape_alone() -> None:
    weak_label = CenterWeakLabeld("image")({"image": torch.rand(3, 7, 5)})["weak_label"]
    torch.testing.assert_close(weak_label[0], torch.as_tensor(center_weight((7, 5)), dtype=torch.float32))
    assert weak_label[0].argmax() == 3 * 5 + 2


def test_labeling_of_another_task_from_a_config() -> None:
    config = {
        "_target_": "s3net_monai.transforms.WeakLabeld",
        "keys": "image",
        "labeling": {"_target_": "s3net_monai.transforms.lung_weak_label", "_mode_": "callable"},
    }
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    assert type(transform) is WeakLabeld
    sample = transform({"image": IMAGES["lung"]})
    np.testing.assert_array_equal(sample["weak_label"][0], lung_weak_label(IMAGES["lung"].numpy()))
