"""Alignment of a lung probability with the air in the CT, by rules without ground truth."""

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

from s3net_monai.transforms.lung_labeling import air_inside_body, enclosed_gas

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]

_AIR = 0.43  # -400 HU, the usual limit between lung and soft tissue
_FREE_AIR = 0.05  # -930 HU
_LIKELY = 0.35  # probability above which a voxel counts towards its region of air
_SURE = 0.75  # probability of a voxel that a rule calls lung, as in ``KeepLargestComponentsd``
_MIN_AREA = 1500.0  # mm2; gas in a stomach is smaller, and so is lung where only its last slices are imaged


def constrain_to_air(probability: Map, image: Map, min_fraction: float = 0.3) -> Map:
    """Move the borders of a lung probability to the borders of air, slice by slice along Z.

    These are not lung:

    * free air that is joined to the border of the slice, and a region of the mask that lies mostly in such air;
    * regions as empty as free air, such as stomach and bowel, where most air inside the body has lung's density;
    * the trachea and the main bronchi.

    A region of air inside the body is lung as a whole when at least ``min_fraction`` of it is likely lung: a network
    misses parts of a region where lung thins out over the diaphragm.

    Args:
        probability: of lung, (X, Y, Z), above 0.5 in the mask.
        image: CT (X, Y, Z) in [0, 1] for -1000 to 400 HU.
        min_fraction: of a region of air, see above.

    Returns:
        Probability (X, Y, Z); it changes only where a rule contradicts it.

    Example:
        >>> import numpy as np
        >>> image = np.full((20, 20, 1), 0.75)
        >>> image[4:16, 4:16] = 0.12
        >>> probability = np.zeros((20, 20, 1))
        >>> probability[4:16, 4:10] = 0.9
        >>> lung = constrain_to_air(probability, image) > 0.5
        >>> int(lung.sum())
        144
    """
    free_air = image < _FREE_AIR
    outside = free_air & ~air_inside_body(free_air)
    probability = np.where(outside | _mostly_in(probability > 0.5, outside, 0.5), 0, probability)
    air = air_inside_body(image < _AIR)
    mask = probability > 0.5
    lung = _mostly_in(air, probability > _LIKELY, min_fraction)
    gas = enclosed_gas(image, air | mask) | _empty_regions(image, air)
    return np.where(gas, 0, np.where(lung, np.maximum(probability, _SURE), probability))


def _empty_regions(image: Map, air: Mask) -> Mask:
    # A median below a level means that half of the region is below it.
    empty = _mostly_in(air, image < _FREE_AIR, 0.5)
    denser = air & ~empty
    lung_is_visible = denser.sum() > empty.sum() and np.median(image[denser]) >= 2 * _FREE_AIR
    return empty if lung_is_visible else np.zeros_like(empty)


def _mostly_in(regions: Mask, target: Mask, min_fraction: float) -> Mask:
    """Return the axial regions of which at least ``min_fraction`` lies in ``target``."""
    within_slices = np.zeros((3, 3, 3), dtype=bool)
    within_slices[..., 1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(regions, within_slices)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    fractions = np.bincount(labels.ravel(), weights=target.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    fractions[0] = 0
    return (fractions >= min_fraction)[labels]


class ConstrainToAird(MapTransform):
    """Apply ``constrain_to_air`` to a lung probability.

    The result is empty if no axial slice has 15 cm2 of lung.

    Args:
        keys: lung probabilities (1, X, Y, Z), before they are resampled to another grid.
        image_key: the CT in [0, 1] on the same grid, a MetaTensor (1, X, Y, Z), axial slices along Z.

    Raises:
        ValueError: when the two are not on one grid.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = torch.full((1, 20, 20, 1), 0.75)
        >>> image[:, 4:16, 4:16] = 0.12
        >>> scan = MetaTensor(image, affine=torch.diag(torch.tensor([4.0, 4.0, 5.0, 1.0])))
        >>> probability = torch.where(image < 0.5, 0.9, 0.4)
        >>> result = ConstrainToAird("pred")({"image": scan, "pred": probability})["pred"]
        >>> int((result > 0.5).sum())
        144
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with constrained probabilities."""
        sample = dict(data)
        image = sample[self.image_key]
        pixel_area = float(image.pixdim[0] * image.pixdim[1])
        for key in self.key_iterator(sample):
            probability = sample[key]
            if probability.shape != image.shape:
                raise ValueError(f"{key} is {tuple(probability.shape)}, expected {tuple(image.shape)} as the image")
            values, scan = (torch.as_tensor(item[0]).cpu().float().numpy() for item in (probability, image))
            constrained = constrain_to_air(values, scan)
            if (constrained > 0.5).sum(axis=(0, 1)).max() * pixel_area < _MIN_AREA:
                constrained = np.zeros_like(constrained)
            sample[key] = convert_to_dst_type(constrained[None], probability)[0]
        return sample
