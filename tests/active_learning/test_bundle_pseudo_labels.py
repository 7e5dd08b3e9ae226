"""The masks of a bundle as labels of images without corrections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Lambdad

from data_prep.phantom import write_skin_phantom
from s3net_monai.active_learning import add_bundle_pseudo_labels
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference import Bundle, Case, bundle_root, load_bundle
from s3net_monai.inference.run.segmenter import infer_sample, read_case


class ToyNetwork(torch.nn.Module):
    """The foreground probability is the first channel, plus a gradient along the first axis where the second is 1."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        gradient = torch.linspace(-1, 1, image.shape[2])[:, None] * image[:, 1:2]
        return torch.cat([1 - image[:, :1] - gradient, image[:, :1] + gradient], dim=1)


def toy_bundle() -> Bundle:
    """Two views, one of them flipped; masks lose their first row, and everything after ``Invertd``."""

    def without_first_row(pred: MetaTensor) -> MetaTensor:
        foreground = pred[1:].clone()
        foreground[:, 0] = 0
        return foreground

    released = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    steps = [Lambdad("pred", without_first_row), Invertd("pred", Compose([])), Lambdad("pred", lambda pred: pred * 0)]
    inferer = FlipTTAInferer(flips=((), (0,)), quarter_turns=(0,))
    return replace(released, network=ToyNetwork(), inferer=inferer, postprocessing=Compose(steps))


def image(gradient: float = 0.0) -> torch.Tensor:
    pixels = torch.zeros(3, 6, 6)
    pixels[0, :, :3] = 0.6
    pixels[1] = gradient
    return pixels


def test_masks_are_those_before_inverting_the_preprocessing() -> None:
    (sample,) = add_bundle_pseudo_labels([{"image": image(), "name": "a"}], toy_bundle(), excluded_fraction=0)
    expected = torch.zeros(1, 6, 6)
    expected[:, 1:, :3] = 1
    assert torch.equal(sample["label"], expected)
    assert type(sample["label"]) is torch.Tensor
    assert sample["name"] == "a"


def test_least_consistent_are_excluded_and_order_is_kept() -> None:
    samples = [{"image": image(gradient=float(index == 1)), "name": index} for index in range(5)]
    assert [sample["name"] for sample in add_bundle_pseudo_labels(samples, toy_bundle(), excluded_fraction=0.2)] == [
        0,
        2,
        3,
        4,
    ]
    assert add_bundle_pseudo_labels([], toy_bundle()) == []


def test_mask_equals_the_segmentation(tmp_path: Path) -> None:
    path = write_skin_phantom(tmp_path, "case", (128, 128))[0]  # the network's own size, so that nothing is resampled
    bundle = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    sample = read_case(Case(case_id="case", input=path, image=(path,), kind="image_2d"), bundle)
    (labeled,) = add_bundle_pseudo_labels([{"image": sample["image"]}], bundle, excluded_fraction=0)
    np.testing.assert_array_equal(labeled["label"][0].numpy() > 0, infer_sample(sample, bundle).mask > 0)
    assert labeled["label"].any()
