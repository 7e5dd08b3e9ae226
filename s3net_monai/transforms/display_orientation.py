"""Slices of an oblique stack the way up that scanners show them, whatever a converter made of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Flip, InvertibleTransform, MapTransform
from monai.utils import TraceKeys

LEAST_TILT = 10.0  # degrees


def upside_down_axes(affine: np.ndarray) -> list[int]:
    """Which of the first two axes run the other way than on a scanner's screen.

    There both run towards the patient's left, back or feet, whichever is nearest (DICOM PS3.3 section C.7.6.2.1.1 fixes
    no convention, but vendors have this one). Converters to NIfTI turn rows over. An affine along the patient's axes
    says nothing: no stack of the heart lies so, and files that have lost their place state one.

    Args:
        affine: (4, 4) RAS+ of a stack whose slices lie along the last axis.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    largest = np.abs(directions).max(axis=0)
    if largest.min() > np.cos(np.radians(LEAST_TILT)):
        return []
    return [axis for axis in (0, 1) if directions[np.abs(directions[:, axis]).argmax(), axis] > 0]


class DisplayOrientationd(MapTransform, InvertibleTransform):
    """Flip rows and columns of (C, X, Y, Z) as ``upside_down_axes`` says; the inverse brings a mask back.

    The first key that a sample has tells it for all: a label follows its image, whatever its own header has lost.

    Args:
        keys: an image with an affine, and what has its grid.
        allow_missing_keys: whether a sample may lack some of ``keys``.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        axes: list[int] | None = None
        for key in self.key_iterator(sample):
            axes = upside_down_axes(np.asarray(sample[key].affine)) if axes is None else axes
            sample[key] = self.push_transform(_flipped(sample[key], axes), extra_info={"axes": axes})
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Flip back."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[key] = _flipped(sample[key], self.pop_transform(sample[key])[TraceKeys.EXTRA_INFO]["axes"])
        return sample


def _flipped(image: MetaTensor, axes: list[int]) -> MetaTensor:
    if not axes:
        return image
    flip = Flip(axes)
    with flip.trace_transform(False):
        return cast(MetaTensor, flip(image))
