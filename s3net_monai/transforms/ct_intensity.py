"""CT intensities on one scale, whether they are stored in HU or as an 8-bit image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from skimage.filters import threshold_otsu

from s3net_monai.transforms.ct_values import HOUNSFIELD_KEY, is_hounsfield, slice_axis
from s3net_monai.transforms.lung_labeling import air_inside_body
from s3net_monai.utils.robust_range import robust_range

_AIR_HU = -850.0
_TISSUE_HU = 40.0
_BODY_HU = -400.0
_CENTER = 0.7  # radius of the central ellipse in half widths
_BLACK = 0.02  # fraction of the range of values that still counts as the darkest


class CTIntensityd(MapTransform):
    """Scale a CT to [0, 1] for ``low`` to ``high`` HU.

    ``CTValuesd`` before it tells whether a CT is in HU; without it, ``is_hounsfield`` does. Any other image has an
    unknown scale (it was stored with an offset, or exported to an 8-bit image): Otsu's threshold splits it, and the
    means of the two classes are taken for lung and soft tissue. Such an export is often clipped so that lung and the
    air around the body are equally black; dark voxels that are joined to the border of their axial slice are therefore
    set to ``low``.

    Args:
        keys: the image, (1, X, Y[, Z]).
        low: HU that becomes 0.
        high: HU that becomes 1.

    Raises:
        ValueError: when ``low`` is not below ``high``.

    Example:
        >>> import torch
        >>> image = torch.tensor([[[-1000.0, -300.0, 400.0]]])
        >>> CTIntensityd("image")({"image": image})["image"].tolist()
        [[[0.0, 0.5, 1.0]]]
    """

    def __init__(self, keys: KeysCollection, low: float = -1000.0, high: float = 400.0) -> None:
        super().__init__(keys)
        if low >= high:
            raise ValueError(f"low is {low} HU and high {high} HU, expected low < high")
        self.low, self.high = low, high

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with scaled images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            in_hu = getattr(image, "meta", {}).get(HOUNSFIELD_KEY)
            if in_hu is None:
                in_hu = is_hounsfield(np.asarray(image[0].cpu()), slice_axis(image))
            slope, intercept = (1.0, 0.0) if in_hu else unknown_scale_to_hu(np.asarray(image))
            width = self.high - self.low
            scaled = (image * (slope / width) + (intercept - self.low) / width).clamp(0, 1)
            sample[key] = scaled if in_hu else scaled * ~self._outside_body(scaled)
        return sample

    def _outside_body(self, scaled: torch.Tensor) -> torch.Tensor:
        volume = np.asarray(torch.as_tensor(scaled[0]).cpu())
        air = np.atleast_3d(volume) < (_BODY_HU - self.low) / (self.high - self.low)
        outside = (air & ~air_inside_body(air)).reshape(volume.shape)
        return torch.as_tensor(outside, device=scaled.device)[None]


def unknown_scale_to_hu(image: np.ndarray) -> tuple[float, float]:
    """Return the slope and intercept that map an image of unknown scale to HU.

    They map the means of the image's two classes to the usual HU of lung and soft tissue. Only the central ellipse of
    the image is used: scanners and converters fill the area around the field of view with arbitrary values. Black that
    is joined to the border of its axial slice is padding, or air outside a body that does not fill the ellipse, and is
    ignored too, unless no air is left without it. Values far outside all others, as of hot pixels, count as the
    outermost of those (``robust_range``).

    Args:
        image: (1, X, Y[, Z]).

    Returns:
        Slope and intercept; (0, -1000), which makes everything air, for an image that has one value in the ellipse or
        is too narrow to have a center.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in image.shape[1:3]), indexing="ij", sparse=True)
    ellipse = (axes[0] ** 2 + axes[1] ** 2) < _CENTER**2
    values = np.clip(image[0], *robust_range(image[0]))
    central = np.broadcast_to(ellipse.reshape(*ellipse.shape, *[1] * (values.ndim - 2)), values.shape)
    means = _class_means(values[central & ~_black_surround(values)])
    means = means or _class_means(values[central], min_separation=0.0)
    if means is None:
        return 0.0, -1000.0
    dark, bright = means
    slope = (_TISSUE_HU - _AIR_HU) / (bright - dark)
    return slope, _AIR_HU - slope * dark


def _black_surround(values: np.ndarray) -> np.ndarray:
    volume = np.atleast_3d(values)
    black = volume <= volume.min() + _BLACK * float(np.ptp(volume))
    return (black & ~air_inside_body(black)).reshape(values.shape)


def _class_means(values: np.ndarray, min_separation: float = 3**0.5) -> tuple[float, float] | None:
    """Return the means of the two classes of Otsu's threshold; None if they are not distinct.

    The distance of two classes, in units of the sum of their standard deviations, exceeds that of the two halves of a
    uniform distribution, which is the square root of three.
    """
    if values.size == 0 or values.min() == values.max():
        return None
    threshold = threshold_otsu(values)
    dark, bright = values[values <= threshold], values[values > threshold]
    distance = float(bright.mean() - dark.mean())
    if distance <= min_separation * float(dark.std() + bright.std()):
        return None
    return float(dark.mean()), float(bright.mean())
