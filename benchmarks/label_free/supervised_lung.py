"""Supervised 3-D U-Net for the lungs, trained on the same images with all their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
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
from benchmarks.label_free.released import bundle_predict, without_step
from benchmarks.label_free.supervised import train_supervised, with_probabilities
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.io import LabelReader
from s3net_monai.io.nifti_header import is_nifti
from s3net_monai.transforms import (
    ConstrainToAird,
    LabelOnImaged,
    RandWindowd,
    ResampleToSpacingd,
    SliceToVolumed,
    ValidateLabelsd,
)

EPOCHS = 5
PATCH = (96, 96, 8)
_KEYS = ("image", "label")
VOLUME_REPEATS = 16  # so that the two volumes weigh about a sixth of the slices


def supervised_lung(sources: Sequence[str], seed: int, weights: Path) -> Predict:
    """Train on every case of training and validation with a mask, or load existing weights.

    Reading, spacing, intensities and the rule that keeps large components are those of the released bundle. Its rules
    on air are left out, because the network learns them from masks. Predictions for the image and its mirror image,
    which training uses too, are averaged.

    Args:
        sources: folders with datalists.
        seed: seed of the training.
        weights: file of the state dict.
    """
    cases = labeled_cases(sources)
    network = train_supervised(
        flat_unet,
        cases,
        transforms=_transforms(),
        augmentation=_augmentation(),
        seed=seed,
        weights=weights,
        epochs=EPOCHS,
        batch_size=4,
    )
    window = SlidingWindowInferer(PATCH, sw_batch_size=4, overlap=0.25, mode="gaussian")
    bundle = without_step(load_bundle("lung", bundle_root("lung"), torch.device("cpu")), ConstrainToAird)
    inferer = FlipTTAInferer(flips=((), (0,)), quarter_turns=(0,), base=window)
    return bundle_predict(replace(bundle, network=with_probabilities(network), inferer=inferer))


def flat_unet() -> UNet:
    """Return MONAI's residual U-Net of 16 to 128 channels for slabs of eight slices.

    It gives logits of background and lung.
    """
    strides: Any = ((2, 2, 1), (2, 2, 2), (2, 2, 2))
    return UNet(3, 1, 2, (16, 32, 64, 128), strides=strides, num_res_units=2, norm="instance")


def labeled_cases(sources: Sequence[str]) -> list[dict[str, Any]]:
    """Return the cases with a mask in the training and validation sections.

    Volumes are repeated to balance the slices.
    """
    from s3net_monai.data.datalist import load_datalist

    sections = ("training", "validation")
    cases = [case for folder in sources for name in sections for case in load_datalist(folder, name, labels=True)]
    labeled = [case for case in cases if "label" in case]
    volumes = [case for case in labeled if is_nifti(Path(case["image"]))]
    return labeled + volumes * (VOLUME_REPEATS - 1)


def _transforms() -> list[Any]:
    parser = ConfigParser()
    parser.read_config(bundle_root("lung") / "configs" / "inference.json")
    parser["bundle_root"] = str(bundle_root("lung"))
    label = "label"
    reader: Any = LabelReader(binary=True)
    return [
        *parser.get_parsed_content("preprocessing").transforms,
        LoadImaged(label, reader=reader),
        EnsureChannelFirstd(label),
        LabelOnImaged(label),
        ValidateLabelsd(label, num_classes=2),
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
