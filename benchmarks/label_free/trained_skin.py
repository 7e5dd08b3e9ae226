"""Rows of the skin table that train or fit a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.train import train_variant
from benchmarks.common.types import Predict, Row
from benchmarks.label_free.per_image_rows import corrected_per_image, original_s3net_per_image
from benchmarks.label_free.released import bundle_predict, without_step
from benchmarks.label_free.supervised import (
    image_augmentation,
    image_transforms,
    small_unet,
    train_supervised,
    with_probabilities,
)
from benchmarks.label_free.variants import LOSSES_ALONE
from data_prep.prepare import prepare
from s3net_monai.data.datalist import load_datalist
from s3net_monai.data.pool import pool_datalists
from s3net_monai.file_formats import DATALIST_FILE
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.transforms import RefineWithWeakLabelsd

SEEDS = (0, 1, 2)
SUPERVISED_NAME = "supervised U-Net (100 % masks)"
_PER_IMAGE_EVERY = 80
_UNET_EPOCHS = 12
_IMAGES_EVERY = 5
_DATASETS = ("isic2018", "ph2")


def trained_rows(data: Path, work: Path) -> list[Row]:
    """Return per-image fits, the S3-Net losses alone, and the supervised U-Net.

    Weights in ``work``/models are reused.

    All but the per-image fits train on the training part of ISIC 2018 and PH2, as the released weights did.

    Args:
        data: folder with skin/isic2018 and skin/ph2.
        work: folder for datalists and weights.
    """

    def original(seed: int) -> Predict:
        return original_s3net_per_image(seed)

    def corrected(seed: int) -> Predict:
        return corrected_per_image("skin", seed)

    def losses_alone(seed: int) -> Predict:
        folder = work / "models" / f"skin-losses-alone-{seed}"
        train_variant(bundle_root("skin"), losses_alone_settings(data, work), seed=seed, folder=folder)
        return bundle_predict(plain_bundle(folder))

    def supervised(seed: int) -> Predict:
        weights = work / "models" / f"skin-unet-{seed}" / "model.pt"
        network = train_unet(data, work, seed=seed, weights=weights)
        return bundle_predict(replace(plain_bundle(bundle_root("skin")), network=with_probabilities(network)))

    return [
        Row("original S3-Net (per image)", "per-image", original, seeds=SEEDS, every=_PER_IMAGE_EVERY),
        Row("S3-Net corrected (per image)", "per-image", corrected, seeds=SEEDS, every=_PER_IMAGE_EVERY),
        Row("S3-Net losses alone (no weak label)", "trained", losses_alone, seeds=SEEDS),
        Row(SUPERVISED_NAME, "supervised", supervised, seeds=SEEDS),
    ]


def losses_alone_settings(data: Path, work: Path) -> dict[str, Any]:
    """Return the overrides of ``train.json`` for the S3-Net losses alone.

    Every variant of the ablation has them too.
    """
    lists = skin_datalists(data, work)
    return {
        **LOSSES_ALONE,
        "train#dataset#data": pool_datalists(lists, "training")[::_IMAGES_EVERY],
        "validate#dataset#data": pool_datalists(lists, "validation")[::_IMAGES_EVERY],
    }


def plain_bundle(folder: Path) -> Bundle:
    """Load the skin bundle in ``folder`` on the CPU, without the refinement by weak labels."""
    return without_step(load_bundle("skin", folder, torch.device("cpu")), RefineWithWeakLabelsd)


def skin_datalists(data: Path, work: Path) -> list[Path]:
    """Return the folders with the checked datalists of ISIC 2018 and PH2.

    They are in ``work``/data, where missing ones are made.
    """
    folders = [work / "data" / name for name in _DATASETS]
    for name, folder in zip(_DATASETS, folders, strict=True):
        if not (folder / DATALIST_FILE).is_file():
            prepare(name, data / "skin" / name, folder)
    return folders


def train_unet(data: Path, work: Path, *, seed: int, weights: Path) -> torch.nn.Module:
    """Train the U-Net with every mask of the training and validation sections.

    The preprocessing is that of the skin bundle.
    """
    folders = skin_datalists(data, work)
    cases: list[dict[str, Any]] = [
        case
        for folder in folders
        for section in ("training", "validation")
        for case in load_datalist(folder, section, labels=True)
    ]
    return train_supervised(
        lambda: small_unet(2, 3),
        cases,
        transforms=image_transforms(bundle_root("skin")),
        augmentation=image_augmentation(),
        seed=seed,
        weights=weights,
        epochs=_UNET_EPOCHS,
    )
