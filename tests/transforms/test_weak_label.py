"""The vote as a dictionary transform: beside the image, of its shape, from a config."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from s3net_monai.transforms import WeakLabeld, lung_weak_label, skin_weak_label
from s3net_monai.transforms.skin_labeling import center_weight

IMAGES = {
    "skin": torch.nn.functional.pad(torch.full((3, 10, 12), 0.2), (8, 10, 9, 9), value=0.8),
    "lung": torch.nn.functional.pad(torch.full((1, 8, 8, 2), 0.1), (0, 0, 6, 6, 6, 8), value=0.75),
}
VOTES = {"skin": skin_weak_label, "lung": lung_weak_label}


@pytest.mark.parametrize("task", ["skin", "lung"])
@pytest.mark.parametrize("kind", [MetaTensor, torch.Tensor, np.ndarray])
def test_adds_the_vote_and_leaves_the_rest(task: str, kind: type) -> None:
    image = {MetaTensor: MetaTensor, torch.Tensor: torch.clone, np.ndarray: np.asarray}[kind](IMAGES[task])
    sample = {"image": image, "case_id": "a"}
    result = WeakLabeld("image", task)(sample)
    assert set(result) == {"image", "case_id", "weak_label"}
    assert set(sample) == {"image", "case_id"}
    assert result["image"] is image
    assert result["weak_label"].shape == (1, *image.shape[1:])
    assert result["weak_label"].dtype == torch.float32
    np.testing.assert_array_equal(result["weak_label"][0], VOTES[task](IMAGES[task].numpy()))
    assert 0 < result["weak_label"].mean() < 1


def test_key_of_the_vote_is_a_setting() -> None:
    result = ConfigParser(
        {
            "weak_label": {
                "_target_": "s3net_monai.transforms.WeakLabeld",
                "keys": "ct",
                "task": "lung",
                "weak_label_key": "evidence",
            }
        }
    ).get_parsed_content("weak_label")({"ct": IMAGES["lung"]})
    assert set(result) == {"ct", "evidence"}


def test_the_center_looks_at_the_shape_alone() -> None:
    weak_label = WeakLabeld("image", "center")({"image": torch.rand(3, 7, 5)})["weak_label"]
    torch.testing.assert_close(weak_label[0], torch.as_tensor(center_weight((7, 5)), dtype=torch.float32))
    assert weak_label[0].argmax() == 3 * 5 + 2


def test_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^task is 'liver', expected one of \['center', 'lung', 'skin'\]$"):
        WeakLabeld("image", "liver")
