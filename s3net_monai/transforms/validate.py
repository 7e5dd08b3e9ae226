"""What a network is built for, asked of every image and label before hours are spent on them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

_SHOWN = 6  # values that a refusal names


class ValidateChannelsd(MapTransform):
    """Refuse images (C, X, Y[, Z]) of other channels than the network takes; others pass unchanged.

    Args:
        keys: images.
        channels: the network's ``in_channels``.

    Raises:
        ValueError: one line that names the file, what it has, and what to do.
    """

    def __init__(self, keys: KeysCollection, channels: int) -> None:
        super().__init__(keys)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(dict(data)):
            found = data[key].shape[0]
            if found != self.channels:
                raise ValueError(
                    f"{_name(data, key)}: {found} channels under {key!r}, expected in_channels, {self.channels}; "
                    "set in_channels, or read the image otherwise"
                )
        return dict(data)


class ValidateLabelsd(MapTransform):
    """Refuse labels that hold anything but whole numbers from 0 to ``num_classes - 1``; others pass unchanged.

    A loss would end in a message without a file, or take a mask of 0 and 255 for two classes that it lacks.

    Args:
        keys: labels (1, X, Y[, Z]).
        num_classes: the network's ``out_channels``, background included.
        allow_missing_keys: pass over keys that a sample lacks, as unlabeled images do.

    Raises:
        ValueError: one line that names the file, what it holds, and what to do.
    """

    def __init__(self, keys: KeysCollection, num_classes: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.num_classes = num_classes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(dict(data)):
            label = torch.as_tensor(data[key])
            wrong = (label != label.round()) | (label < 0) | (label >= self.num_classes)
            if label.shape[0] != 1 or wrong.any():
                raise ValueError(
                    f"{_name(data, key)}: {_found(label, wrong)} under {key!r}, expected one channel of whole numbers "
                    f"from 0 to {self.num_classes - 1}; set out_channels, background included, or renumber the label"
                )
        return dict(data)


def _found(label: torch.Tensor, wrong: torch.Tensor) -> str:
    if label.shape[0] != 1:
        return f"{label.shape[0]} channels"
    values = [f"{float(value):g}" for value in label[wrong].unique()]
    return f"the values {', '.join(values[:_SHOWN])}{' and more' if len(values) > _SHOWN else ''}"


def _name(data: Mapping[Hashable, Any], key: Hashable) -> str:
    """The case and its file, as far as the sample knows them; no folders, which may be named after people."""
    file = Path(str(getattr(data[key], "meta", {}).get("filename_or_obj", ""))).name
    return ", ".join(part for part in (str(data.get("case_id", "")), file) if part) or "sample"
