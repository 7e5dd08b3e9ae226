"""A supervised 3-D U-Net for the lungs, for scale: the volumes and slices of the training part with all their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import NibabelReader, PILReader
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet
from monai.transforms import (
    AsDiscreted,
    EnsureChannelFirstd,
    EnsureTyped,
    LoadImaged,
    Orientationd,
    RandFlipd,
    RandSpatialCropd,
    SelectItemsd,
    SpatialPadd,
)

from benchmarks.common.types import Predict
from benchmarks.label_free.released import bundle_predict, without
from benchmarks.label_free.supervised import train_supervised, with_probabilities
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.io import upright_gray
from s3net_monai.transforms import ConstrainToAird, RandWindowd, ResampleToSpacingd, SliceToVolumed

EPOCHS = 5
PATCH = (96, 96, 8)
_KEYS = ("image", "label")
VOLUME_REPEATS = 16  # two volumes then weigh about a sixth of the slices


def supervised_lung(sources: Sequence[str], seed: int, weights: Path) -> Predict:
    """Train on every case of the training and validation sections that has a mask, or load the weights of before.

    Reading, spacing, intensities and the rule that keeps the large components are those of the shipped bundle, without
    its rules on air, which masks teach the network by themselves. Image and mirror image, as in training, are averaged.

    Args:
        sources: folders with datalists.
        seed: of the training.
        weights: file of the trained state dict.
    """
    cases = labeled_cases(sources)
    network = train_supervised(flat_unet, cases, _transforms(), _augmentation(), seed, weights, EPOCHS, batch_size=4)
    window = SlidingWindowInferer(PATCH, sw_batch_size=4, overlap=0.25, mode="gaussian")
    bundle = without(load_bundle("lung", bundle_root("lung"), torch.device("cpu")), ConstrainToAird)
    inferer = FlipTTAInferer(flips=((), (0,)), quarter_turns=(0,), base=window)
    return bundle_predict(replace(bundle, network=with_probabilities(network), inferer=inferer))


def flat_unet() -> UNet:
    """MONAI's residual U-Net of 16 to 128 channels for slabs of eight slices; logits of background and lung."""
    strides: Any = ((2, 2, 1), (2, 2, 2), (2, 2, 2))
    return UNet(3, 1, 2, (16, 32, 64, 128), strides=strides, num_res_units=2, norm="instance")


def labeled_cases(sources: Sequence[str]) -> list[dict[str, Any]]:
    """Cases with a mask of the training and validation sections; volumes are repeated to count beside the slices."""
    from s3net_monai.data.datalist import load_datalist

    sections = ("training", "validation")
    cases = [case for folder in sources for name in sections for case in load_datalist(folder, name, labels=True)]
    labeled = [case for case in cases if "label" in case]
    volumes = [case for case in labeled if str(case["image"]).endswith((".nii", ".nii.gz"))]
    return labeled + volumes * (VOLUME_REPEATS - 1)


def _transforms() -> list[Any]:
    parser = ConfigParser()
    parser.read_config(bundle_root("lung") / "configs" / "inference.json")
    parser["bundle_root"] = str(bundle_root("lung"))
    label = "label"
    readers: Any = [PILReader(converter=upright_gray), NibabelReader()]
    return [
        *parser.get_parsed_content("preprocessing").transforms,
        LoadImaged(label, reader=readers),
        EnsureChannelFirstd(label),
        SliceToVolumed(label),
        AsDiscreted(label, threshold=0.5),
        Orientationd(label, axcodes="RAS", labels=None),
        ResampleToSpacingd(label, pixdim=parser.get_parsed_content("pixdim")),
        AsDiscreted(label, threshold=0.5),
        SpatialPadd(label, spatial_size=parser.get_parsed_content("min_size"), mode="edge"),
        EnsureTyped(_KEYS, track_meta=False),
        SelectItemsd(_KEYS),
    ]


def _augmentation() -> list[Any]:
    return [
        RandWindowd("image", low=0.25, high=0.6),
        RandSpatialCropd(_KEYS, roi_size=PATCH, random_size=False),
        RandFlipd(_KEYS, prob=0.5, spatial_axis=0),
    ]
