"""Training of a supervised U-Net on the same images with all of their masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import CacheDataset, DataLoader
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler, StatsHandler
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import (
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    EnsureTyped,
    LoadImaged,
    RandFlipd,
    RandRotate90d,
    RandRotated,
    Resized,
    SelectItemsd,
    Transform,
)
from monai.utils import set_determinism
from torch import nn

from s3net_monai.inference.bundle import reading_steps
from s3net_monai.io import LabelReader
from s3net_monai.transforms import LabelOnImaged, ValidateLabelsd
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.tensor_file import read_tensors

_KEYS = ("image", "label")


def image_transforms(bundle_root: Path) -> list[Any]:
    """Return a bundle's own preprocessing of 2-D images, extended to masks.

    The mask is on the same grid, as (1, X, Y) of 0 and 1.
    """
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "inference.json")
    parser["bundle_root"] = str(bundle_root)
    parser["image_transforms#crop_surround#keys"] = list(_KEYS)
    reader: Any = LabelReader(binary=True)
    reading, others = reading_steps(parser.get_parsed_content("preprocessing"))
    return [
        *reading.transforms,
        LoadImaged("label", reader=reader),
        EnsureChannelFirstd("label"),
        LabelOnImaged("label"),
        ValidateLabelsd("label", num_classes=2),
        *others.transforms,
        Resized("label", spatial_size=parser.get_parsed_content("spatial_size"), mode="nearest"),
        AsDiscreted("label", threshold=0.5),
        EnsureTyped(_KEYS, track_meta=False),
        SelectItemsd(_KEYS),
    ]


def image_augmentation() -> list[Any]:
    """Return random flips and rotations of a 2-D image and its mask."""
    return [
        RandFlipd(_KEYS, prob=0.5, spatial_axis=0),
        RandRotate90d(_KEYS, prob=0.75),
        RandRotated(_KEYS, range_x=0.5, prob=0.5, mode=("bilinear", "nearest"), padding_mode="border"),
    ]


def small_unet(spatial_dims: int, in_channels: int) -> UNet:
    """Return MONAI's residual U-Net of 16 to 128 channels, with logits of two classes."""
    channels = (16, 32, 64, 128, 128)
    return UNet(spatial_dims, in_channels, 2, channels, strides=(2, 2, 2, 2), num_res_units=2, norm="batch")


def with_probabilities(network: nn.Module) -> nn.Module:
    """Return the network with a softmax, as bundles expect class probabilities."""
    return nn.Sequential(network, nn.Softmax(dim=1)).eval()


def train_supervised(
    build: Callable[[], nn.Module],
    cases: Sequence[Mapping[str, Any]],
    *,
    transforms: Sequence[Transform],
    augmentation: Sequence[Transform],
    seed: int,
    weights: Path,
    epochs: int,
    batch_size: int = 16,
    learning_rate: float = 2e-3,
) -> nn.Module:
    """Train by Dice and cross-entropy, and return the network of the last epoch.

    The optimizer is Adam with a cosine schedule.

    Args:
        build: returns the untrained network.
        cases: dictionaries with "image" and "label".
        transforms: deterministic transforms, whose results stay in memory.
        augmentation: random transforms that follow.
        seed: seed of the training.
        weights: file of the state dict; an existing file is loaded instead of training.
        epochs: passes over the cases.
        batch_size: cases per step.
        learning_rate: learning rate at the start.
    """
    if weights.is_file():
        network = build()
        network.load_state_dict(read_tensors(weights))
        return network
    set_determinism(seed)
    network = build()
    dataset = CacheDataset(list(cases), Compose([*transforms, *augmentation]), progress=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule: Any = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=0),
        network=network,
        optimizer=optimizer,
        loss_function=DiceCELoss(to_onehot_y=True, softmax=True),
        decollate=False,
        train_handlers=[
            LrScheduleHandler(schedule, print_lr=False),
            StatsHandler(tag_name="loss", output_transform=lambda output: output["loss"], iteration_log=False),
        ],
    ).run()
    weights.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(weights) as temporary:
        torch.save(network.state_dict(), temporary)
    return network
