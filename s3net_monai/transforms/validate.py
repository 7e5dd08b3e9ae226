"""Validation of images and labels against the network, before training starts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from s3net_monai.transforms.notes import sample_name

_MAX_LISTED = 6  # values that an error message lists


class ValidateChannelsd(MapTransform):
    """Refuse images (C, X, Y[, Z]) whose number of channels is not the network's.

    Others pass unchanged.

    Args:
        keys: images.
        channels: the network's ``in_channels``.

    Raises:
        ValueError: one line that names the file, its channels, and the remedy.

    Example:
        >>> import torch
        >>> ValidateChannelsd("image", channels=3)({"image": torch.zeros(1, 4, 4), "case_id": "p01"})
        Traceback (most recent call last):
        ValueError: p01: 1 channels under 'image', expected in_channels, 3; set in_channels, or read the image otherwise
    """

    def __init__(self, keys: KeysCollection, channels: int) -> None:
        super().__init__(keys)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample if it is valid."""
        for key in self.key_iterator(dict(data)):
            channels = data[key].shape[0]
            if channels != self.channels:
                raise ValueError(
                    f"{_name(data, key)}: {channels} channels under {key!r}, expected in_channels, {self.channels}; "
                    "set in_channels, or read the image otherwise"
                )
        return dict(data)


class ValidateLabelsd(MapTransform):
    """Refuse labels that contain anything but the whole numbers of the classes.

    Labels of whole numbers from 0 to ``num_classes - 1`` pass unchanged. Without this check, a loss would fail with a
    message that names no file, or take a mask of 0 and 255 for a class that does not exist.

    Args:
        keys: labels (1, X, Y[, Z]).
        num_classes: the network's ``out_channels``, background included.
        allow_missing_keys: whether a sample may lack some of ``keys``, as unlabeled images do.

    Raises:
        ValueError: one line that names the file, its values, and the remedy.

    Example:
        >>> import torch
        >>> validate = ValidateLabelsd("label", num_classes=2)
        >>> validate({"label": torch.tensor([[[0, 1]]])})["label"].tolist()
        [[[0, 1]]]
        >>> validate({"label": torch.tensor([[[0, 255]]]), "case_id": "p01"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: p01: the values 255 under 'label', expected one channel of whole numbers from 0 to 1; ...
    """

    def __init__(self, keys: KeysCollection, num_classes: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.num_classes = num_classes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample if it is valid."""
        for key in self.key_iterator(dict(data)):
            label = torch.as_tensor(data[key])
            invalid = (label != label.round()) | (label < 0) | (label >= self.num_classes)
            if label.shape[0] != 1 or invalid.any():
                raise ValueError(
                    f"{_name(data, key)}: {_defect(label, invalid)} under {key!r}, expected one channel of whole "
                    f"numbers from 0 to {self.num_classes - 1}; set out_channels, background included, or renumber "
                    "the label"
                )
        return dict(data)


def _defect(label: torch.Tensor, invalid: torch.Tensor) -> str:
    if label.shape[0] != 1:
        return f"{label.shape[0]} channels"
    values = [f"{float(value):g}" for value in label[invalid].unique()]
    return f"the values {', '.join(values[:_MAX_LISTED])}{' and more' if len(values) > _MAX_LISTED else ''}"


def _name(data: Mapping[Hashable, Any], key: Hashable) -> str:
    return sample_name(data, key) or "sample"
