"""CT intensities on one scale, whether they come in HU or as an 8-bit picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from skimage.filters import threshold_otsu

from s3net_monai.transforms.lung_labeling import air_inside_body

_AIR_HU = -850.0
_TISSUE_HU = 40.0
_BODY_HU = -400.0
_CENTER = 0.7  # radius of the central ellipse in half widths
_BLACK = 0.02  # share of the range of values that still counts as the darkest


class CTIntensityd(MapTransform):
    """Scale a CT to [0, 1] for ``low`` to ``high`` HU.

    A CT in HU holds air, so its minimum is far below zero. An image without such values is of unknown scale (an
    exported picture): Otsu's threshold splits it, and the means of its two sides are taken for lung and soft tissue. A
    picture is often cut so that lung and the air around the body are equally black; what is dark and joined to the
    border of its axial slice is therefore set to ``low``.

    Args:
        keys: the image, (1, X, Y[, Z]).
        low: HU of 0.
        high: HU of 1.

    Raises:
        ValueError: when ``low`` is not below ``high``.
    """

    def __init__(self, keys: KeysCollection, low: float = -1000.0, high: float = 400.0) -> None:
        super().__init__(keys)
        if low >= high:
            raise ValueError(f"low is {low} HU and high {high} HU, expected low < high")
        self.low, self.high = low, high

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            in_hu = float(image.min()) < -200
            slope, intercept = (1.0, 0.0) if in_hu else unknown_scale_to_hu(np.asarray(image))
            width = self.high - self.low
            scaled = (image * (slope / width) + (intercept - self.low) / width).clamp(0, 1)
            sample[key] = scaled if in_hu else scaled * ~self._outside(scaled)
        return sample

    def _outside(self, scaled: torch.Tensor) -> torch.Tensor:
        volume = np.asarray(torch.as_tensor(scaled[0]).cpu())
        air = np.atleast_3d(volume) < (_BODY_HU - self.low) / (self.high - self.low)
        outside = (air & ~air_inside_body(air)).reshape(volume.shape)
        return torch.as_tensor(outside, device=scaled.device)[None]


def unknown_scale_to_hu(image: np.ndarray) -> tuple[float, float]:
    """Slope and intercept that bring the dark and the bright side of an image to lung's and soft tissue's usual HU.

    Only the central ellipse of the picture is looked at: what scanners and converters put around the field of view has
    any value. Black that is joined to the border of its axial slice is padding or air outside a body that does not fill
    the ellipse, and is left out too, unless the rest has no air in it. An image (1, X, Y[, Z]) of one value there, or
    too narrow to have a center, gives (0, -1000): all air.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in image.shape[1:3]), indexing="ij", sparse=True)
    ellipse = (axes[0] ** 2 + axes[1] ** 2) < _CENTER**2
    values = image[0]
    central = np.broadcast_to(ellipse.reshape(*ellipse.shape, *[1] * (values.ndim - 2)), values.shape)
    sides = _two_sides(values[central & ~_black_surround(values)]) or _two_sides(values[central], clarity=0.0)
    if sides is None:
        return 0.0, -1000.0
    dark, bright = sides
    slope = (_TISSUE_HU - _AIR_HU) / (bright - dark)
    return slope, _AIR_HU - slope * dark


def _black_surround(values: np.ndarray) -> np.ndarray:
    volume = np.atleast_3d(values)
    black = volume <= volume.min() + _BLACK * float(np.ptp(volume))
    return (black & ~air_inside_body(black)).reshape(values.shape)


def _two_sides(values: np.ndarray, clarity: float = 3**0.5) -> tuple[float, float] | None:
    """Means of the two sides of Otsu's threshold; None where they are no two classes.

    Two classes are further apart, measured by the sum of their standard deviations, than the halves of a uniform
    distribution, whose distance is the square root of three.
    """
    if values.size == 0 or values.min() == values.max():
        return None
    threshold = threshold_otsu(values)
    dark, bright = values[values <= threshold], values[values > threshold]
    distance = float(bright.mean() - dark.mean())
    if distance <= clarity * float(dark.std() + bright.std()):
        return None
    return float(dark.mean()), float(bright.mean())
