"""A lung probability brought into line with the air that the CT shows: rules on intensity alone, no ground truth."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from numpy.typing import NDArray
from scipy import ndimage

from s3net_monai.transforms.lung_labeling import air_inside_body, free_gas

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]

_AIR = 0.43  # -400 HU, the usual limit between lung and soft tissue
_FREE_AIR = 0.05  # -930 HU
_LIKELY = 0.35  # of a region that the mask may hold only in part
_SURE = 0.75  # probability of a voxel that a rule calls lung, as in ``KeepLargestComponentsd``
_LEAST_AREA = 1500.0  # mm2; gas in a stomach is smaller, and so is lung in its last slices alone


def constrain_to_air(probability: Map, image: Map, share: float = 0.3) -> Map:
    """Move a lung probability to the borders of air, slice by slice along Z.

    Free air joined to the border of the slice is not lung, nor is the region of the mask that lies mostly there. A
    region of air inside the body of which at least ``share`` is likely lung is lung as a whole; a network leaves out
    parts of one where lung thins out over the diaphragm. Regions as empty as free air, stomach and bowel among them,
    are not lung where most air inside the body shows lung's density, and trachea and main bronchi are not.

    Args:
        probability: of lung, (X, Y, Z), above 0.5 in the mask.
        image: CT (X, Y, Z) in [0, 1] for -1000 to 400 HU.
        share: of a region of air.

    Returns:
        Probability (X, Y, Z); it changes only where a rule says that it is wrong.
    """
    free = image < _FREE_AIR
    outside = free & ~air_inside_body(free)
    probability = np.where(outside | _mostly_in(probability > 0.5, outside, 0.5), 0, probability)
    air = air_inside_body(image < _AIR)
    mask = probability > 0.5
    lung = _mostly_in(air, probability > _LIKELY, share)
    gas = free_gas(image, air | mask) | _empty_regions(image, air)
    return np.where(gas, 0, np.where(lung, np.maximum(probability, _SURE), probability))


def _empty_regions(image: Map, air: Mask) -> Mask:
    # half of a region below a level is a median below it
    empty = _mostly_in(air, image < _FREE_AIR, 0.5)
    rest = air & ~empty
    lung_shows = rest.sum() > empty.sum() and np.median(image[rest]) >= 2 * _FREE_AIR
    return empty if lung_shows else np.zeros_like(empty)


def _mostly_in(regions: Mask, target: Mask, share: float) -> Mask:
    """The axial regions of which at least ``share`` lies in ``target``."""
    within_slices = np.zeros((3, 3, 3), dtype=bool)
    within_slices[..., 1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(regions, within_slices)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    shares = np.bincount(labels.ravel(), weights=target.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    shares[0] = 0
    return (shares >= share)[labels]


class ConstrainToAird(MapTransform):
    """Apply ``constrain_to_air`` to a lung probability, and empty it where no axial slice of it has 15 cm2 of lung.

    Args:
        keys: lung probabilities (1, X, Y, Z), before they are resampled to another grid.
        image_key: the CT in [0, 1] on the same grid, a MetaTensor (1, X, Y, Z), axial slices along Z.

    Raises:
        ValueError: when the two are not on one grid.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        image = sample[self.image_key]
        area = float(image.pixdim[0] * image.pixdim[1])
        for key in self.key_iterator(sample):
            probability = sample[key]
            if probability.shape != image.shape:
                raise ValueError(f"{key} is {tuple(probability.shape)}, expected {tuple(image.shape)} as the image")
            values, scan = (torch.as_tensor(item[0]).cpu().float().numpy() for item in (probability, image))
            fitted = constrain_to_air(values, scan)
            if (fitted > 0.5).sum(axis=(0, 1)).max() * area < _LEAST_AREA:
                fitted = np.zeros_like(fitted)
            sample[key] = convert_to_dst_type(fitted[None], probability)[0]
        return sample
