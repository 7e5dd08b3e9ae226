"""Display orientation of oblique stacks: slices the way up that scanners show them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Flip, InvertibleTransform, MapTransform
from monai.utils import TraceKeys

MIN_TILT = 10.0  # degrees


def upside_down_axes(affine: np.ndarray) -> list[int]:
    """Return which of the first two axes run opposite to those of a scanner's screen.

    On the screen both axes run towards the patient's left, back or feet, whichever is nearest. DICOM PS3.3 section
    C.7.6.2.1.1 fixes no convention, but vendors share this one. Converters to NIfTI reverse rows.

    An affine along the patient's axes is not informative and gives no axis: no cardiac stack is acquired so, whereas
    files that have lost their geometry state such an affine.

    Args:
        affine: (4, 4) RAS+ of a stack whose slices lie along the last axis.

    Returns:
        The axes to flip, of 0 and 1.

    Example:
        >>> import numpy as np
        >>> tilted = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1]])
        >>> upside_down_axes(tilted)
        [0, 1]
        >>> upside_down_axes(np.eye(4))
        []
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    largest = np.abs(directions).max(axis=0)
    if largest.min() > np.cos(np.radians(MIN_TILT)):
        return []
    return [axis for axis in (0, 1) if directions[np.abs(directions[:, axis]).argmax(), axis] > 0]


class DisplayOrientationd(MapTransform, InvertibleTransform):
    """Flip rows and columns of (C, X, Y, Z) to the scanner's display orientation.

    It undoes what a converter to NIfTI changed; the inverse maps a mask back. ``upside_down_axes`` of the first key
    that a sample has decides for all keys: a label follows its image, whatever geometry its own header has lost.

    Args:
        keys: an image with an affine, and arrays on its grid.
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> affine = torch.tensor([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1]])
        >>> image = MetaTensor(torch.arange(4.0).reshape(1, 2, 2, 1), affine=affine)
        >>> DisplayOrientationd("image")({"image": image})["image"].flatten().tolist()
        [3.0, 2.0, 1.0, 0.0]
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample in display orientation."""
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
