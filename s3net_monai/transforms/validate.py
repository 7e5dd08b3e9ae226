"""Validation of images and labels against the network, before it sees them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from s3net_monai.transforms.memory_order import lowest_and_highest
from s3net_monai.transforms.notes import sample_name
from s3net_monai.utils.errors import CaseError

JPEG_NOISE = 0.06  # of the contrast of a mask: what the compression changes away from edges
MAX_EDGES = 0.03  # share of a JPEG mask that is neither background nor foreground
MIN_CONTRAST = 128  # levels of gray between background and foreground of a JPEG mask
_BLOCK = 64  # lines that are compared at a time
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


class RefuseMasksd(MapTransform):
    """Refuse image files that hold 0 and one other value only, since they are masks.

    Masks are told from images by their names, but a file that the user names is read whatever its name. An image in
    memory, which names no file, passes, as does one of a single value.

    Args:
        keys: images (C, X, Y[, Z]).
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Raises:
        CaseError: one line that names the file, its two values, and the remedy.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = MetaTensor(torch.tensor([[[0, 255, 255]]]), meta={"filename_or_obj": "scans/p01.png"})
        >>> RefuseMasksd("image")({"image": image})
        Traceback (most recent call last):
        s3net_monai.utils.errors.CaseError: p01.png: only the values 0 and 255, so a mask; give the image itself
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample if its images are no masks."""
        for key in self.key_iterator(dict(data)):
            name = Path(str(getattr(data[key], "meta", {}).get("filename_or_obj", ""))).name
            values = torch.as_tensor(data[key]).as_subclass(torch.Tensor)
            if name and _is_two_valued(values, lossy=name.lower().endswith((".jpg", ".jpeg"))):
                raise CaseError(
                    f"{name}: only the values {float(values.min()):g} and {float(values.max()):g}, so a mask; give the "
                    "image itself"
                )
        return dict(data)


def _is_two_valued(values: torch.Tensor, *, lossy: bool) -> bool:
    """Whether nothing lies between 0 and the highest value; of JPEG, whether only edges do."""
    low, high = lowest_and_highest(values)
    if low != 0 or high == 0:
        return False
    blocks = values.split(_BLOCK, dim=1)
    if not lossy:
        return all(bool(((block == 0) | (block == high)).all()) for block in blocks)
    if high < MIN_CONTRAST:
        return False
    between = 0
    for block in blocks:  # of most images, the first ones settle it
        between += int(((block > JPEG_NOISE * high) & (block < (1 - JPEG_NOISE) * high)).count_nonzero())
        if values.numel() - between <= (1 - MAX_EDGES) * values.numel():
            return False
    return True


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
                    f"numbers from 0 to {self.num_classes - 1}; renumber the label, or, in a bundle that has it, set "
                    "out_channels, background included"
                )
        return dict(data)


def _defect(label: torch.Tensor, invalid: torch.Tensor) -> str:
    if label.shape[0] != 1:
        return f"{label.shape[0]} channels"
    values = [f"{float(value):g}" for value in label[invalid].unique()]
    return f"the values {', '.join(values[:_MAX_LISTED])}{' and more' if len(values) > _MAX_LISTED else ''}"


def _name(data: Mapping[Hashable, Any], key: Hashable) -> str:
    return sample_name(data, key) or "sample"
