"""Crop of a uniform black, white or gray frame around an image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import Crop, InvertibleTransform, MapTransform

CONTENT_KEY = "content_box"  # of the metadata
_BLACK, _WHITE = 24.0, 248.0  # of 255 gray levels
_TOLERANCE = 6.0  # beyond black: noise of a camera
_EXACT = 1.0  # around other grays: pale skin, evenly lit, varies more than a painted surface
_CONTRAST = 30.0  # of a 2-D image with a bright frame; overexposed skin fades
_UNIFORM = 0.9  # fraction of a line
_DEPTH = 16  # pixels from a frame within which JPEG and interpolation blur its edge
_MIN_SIDE = 8  # pixels of a content
_BLOCK = 64  # lines that are compared at a time


class CropSurroundd(MapTransform, InvertibleTransform):
    """Crop a uniform frame, as slides, screen shots and other programs put it around an image.

    Such a frame would take part in every statistic of the image, and the content would be small for the network. Lines
    from an edge inwards belong to it as long as nine tenths of their pixels have its color: black, white, or another
    gray around an image that is colored. Dark corners, as those of a round field of view, stay. The inverse pads with
    zeros. An image with a smaller frame than stated below passes unchanged: a dark rim, which many cameras leave,
    changes little, but a bright one is taken for skin.

    The metadata of the first image get "content_box", the first and the last column and row that are kept, exclusive.

    Args:
        keys: 2-D images (C, X, Y) of values from 0 to 255, and arrays on their grid; the first one that a sample
            has gives the frame.
        min_black: smallest fraction of an image's area that a black frame takes.
        min_bright: the same of a white or gray frame.
        allow_missing_keys: whether a sample may lack some of ``keys``, such as the label.

    Raises:
        ValueError: for a frame to crop, and arrays that differ in size.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = torch.zeros(3, 40, 40)
        >>> image[:, 10:30, 5:35] = torch.rand(3, 20, 30) * 100 + 100
        >>> crop = CropSurroundd("image")
        >>> sample = crop({"image": MetaTensor(image)})
        >>> sample["image"].shape, crop.inverse(sample)["image"].shape
        (torch.Size([3, 20, 30]), torch.Size([3, 40, 40]))
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        min_black: float = 0.2,
        min_bright: float = 0.02,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.min_black, self.min_bright = min_black, min_bright
        self.crop = Crop()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample without frames."""
        sample = dict(data)
        box: tuple[slice, ...] | None = None
        size: Sequence[int] = ()
        for key in self.key_iterator(sample):
            image = sample[key]
            if box is None:
                size = tuple(image.shape[1:])
                box = content_box(torch.as_tensor(image).cpu().numpy(), self.min_black, self.min_bright)
                sample[key] = self.crop(image, box)
                if hasattr(image, "meta"):
                    sample[key].meta[CONTENT_KEY] = [(part.start, part.stop) for part in box]
                continue
            if tuple(image.shape[1:]) == size:
                sample[key] = self.crop(image, box)
            elif any(part != slice(0, length) for part, length in zip(box, size, strict=True)):
                found = "x".join(str(length) for length in image.shape[1:])
                raise ValueError(
                    f"{sample.get('case_id', 'sample')}: {found} pixels under {key!r}, {'x'.join(map(str, size))} of "
                    "its image expected; resample it to its image"
                )
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Pad with zeros to the size of the image."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = self.crop.inverse(sample[key])
        return sample


def content_box(image: np.ndarray, min_black: float = 0.2, min_bright: float = 0.02) -> tuple[slice, slice]:
    """Return the part of a 2-D image (C, X, Y) inside its frame; all of it where there is none."""
    whole = slice(0, image.shape[1]), slice(0, image.shape[2])
    columns = _between_lines(image)
    if columns.start == columns.stop:  # one color all over
        return whole
    rows = _between_lines(image[:, columns].swapaxes(1, 2))
    content = image[:, columns, rows]
    fraction = 1 - content[0].size / image[0].size
    if min(content.shape[1:]) < _MIN_SIDE or not fraction:
        return whole
    outside = np.ones(image.shape[1:], dtype=bool)
    outside[columns, rows] = False
    color = np.median(image[:, outside], axis=1)
    if color.max() <= _BLACK:
        return (columns, rows) if fraction >= min_black else whole
    return (columns, rows) if fraction >= min_bright and _is_framed(content, color) else whole


def _between_lines(image: np.ndarray) -> slice:
    """Return the lines X of a 2-D image (C, X, Y) that are left between those that have the color of an edge."""
    first, last = _lines(image), image.shape[1] - _lines(image[:, ::-1])
    return slice(first, max(first, last))


def _lines(image: np.ndarray) -> int:
    """Return how many lines X of a 2-D image (C, X, Y), from the first on, have the color of the first."""
    color = np.median(image[:, :1], axis=2, keepdims=True)
    for start in range(0, image.shape[1], _BLOCK):
        alike = _near(image[:, start : start + _BLOCK], color).all(axis=0).mean(axis=1) >= _UNIFORM
        if not alike.all():
            return start + int(np.argmin(alike))
    return image.shape[1]


def _near(lines: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Return which values of the lines (C, X, Y) have the color (C, 1, 1) of an edge, if it is that of a frame."""
    if color.max() <= _BLACK:
        return lines <= _BLACK + _TOLERANCE
    if color.min() >= _WHITE:
        return lines >= _WHITE
    if np.ptp(color) <= _EXACT:
        return np.abs(lines - color) <= _EXACT
    return np.zeros(lines.shape, dtype=bool)


def _is_framed(content: np.ndarray, color: np.ndarray) -> bool:
    """Return whether a white or gray surround is a frame, and not bright skin: it ends at straight lines.

    A gray one has to surround colors, as gray skin would not.
    """
    turned = content.swapaxes(1, 2)
    ends = (content[:, :_DEPTH], content[:, -_DEPTH:], turned[:, :_DEPTH], turned[:, -_DEPTH:])
    inside = [np.abs(end - color[:, None, None]).max(axis=0) > _CONTRAST for end in ends]
    straight = all(end.mean(axis=1).max() > 0.5 for end in inside)
    return straight and bool(color.min() >= _WHITE or np.ptp(content, axis=0).mean() > _TOLERANCE)
