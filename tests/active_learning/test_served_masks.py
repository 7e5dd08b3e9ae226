"""The masks of a bundle as labels of images that nobody has corrected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Lambdad

from data_prep.phantom import write_skin_phantom
from s3net_monai.active_learning import add_served_masks
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference import Bundle, Case, bundle_root, load_bundle
from s3net_monai.inference.run.segmenter import infer_sample, read_case


class Network(torch.nn.Module):
    """The first channel is the probability of the foreground; where the second is 1 it leans to one end."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        lean = torch.linspace(-1, 1, image.shape[2])[:, None] * image[:, 1:2]
        return torch.cat([1 - image[:, :1] - lean, image[:, :1] + lean], dim=1)


def toy() -> Bundle:
    """Two views, of which one is turned over; masks lose their first row, and all else after ``Invertd``."""

    def without_first_row(pred: MetaTensor) -> MetaTensor:
        found = pred[1:].clone()
        found[:, 0] = 0
        return found

    shipped = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    steps = [Lambdad("pred", without_first_row), Invertd("pred", Compose([])), Lambdad("pred", lambda pred: pred * 0)]
    inferer = FlipTTAInferer(flips=((), (0,)), quarter_turns=(0,))
    return replace(shipped, network=Network(), inferer=inferer, postprocessing=Compose(steps))


def image(lean: float = 0.0) -> torch.Tensor:
    found = torch.zeros(3, 6, 6)
    found[0, :, :3] = 0.6
    found[1] = lean
    return found


def test_masks_are_those_of_the_bundle_before_it_inverts_its_preprocessing() -> None:
    (sample,) = add_served_masks([{"image": image(), "name": "a"}], toy(), leave_out=0)
    expected = torch.zeros(1, 6, 6)
    expected[:, 1:, :3] = 1
    assert torch.equal(sample["label"], expected)
    assert type(sample["label"]) is torch.Tensor
    assert sample["name"] == "a"


def test_the_least_consistent_are_left_out_and_the_order_stays() -> None:
    samples = [{"image": image(lean=float(index == 1)), "name": index} for index in range(5)]
    assert [each["name"] for each in add_served_masks(samples, toy(), leave_out=0.2)] == [0, 2, 3, 4]
    assert add_served_masks([], toy()) == []


def test_the_mask_is_what_is_segmented(tmp_path: Path) -> None:
    path = write_skin_phantom(tmp_path, "case", (128, 128))[0]  # the network's own size: nothing to resample
    bundle = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    sample = read_case(Case("case", path, (path,), "picture"), bundle)
    (found,) = add_served_masks([{"image": sample["image"]}], bundle, leave_out=0)
    np.testing.assert_array_equal(found["label"][0].numpy() > 0, infer_sample(sample, bundle).mask > 0)
    assert found["label"].any()
