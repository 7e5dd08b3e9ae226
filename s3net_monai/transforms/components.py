"""Selection of connected components of a foreground probability, without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage

from s3net_monai.transforms.skin_labeling import central_component

Mask = NDArray[np.bool_]


def large_components(mask: Mask, min_fraction: float = 0.1) -> Mask:
    """Return the large components of a mask, with holes filled in every axial slice.

    A component that touches the border of the axial plane is air outside the body and is excluded, unless the border
    components are larger than all others together: then the field of view cuts the lung.

    Args:
        mask: (X, Y, Z).
        min_fraction: smallest size, as a fraction of the largest component's number of voxels; a collapsed lung is
            still several percent of the other one.

    Returns:
        Mask (X, Y, Z).
    """
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    sizes[0] = 0
    touching = np.unique(np.concatenate([regions[[0, -1]].ravel(), regions[:, [0, -1]].ravel()]))
    within = np.setdiff1d(np.arange(count + 1), touching)
    if sizes[within].sum() >= sizes[touching].max():
        sizes[touching] = 0
    large = np.isin(regions, np.flatnonzero((sizes > 0) & (sizes >= min_fraction * sizes.max())))
    return np.stack([ndimage.binary_fill_holes(large[..., z]) for z in range(large.shape[2])], axis=-1)


def closed_central_component(mask: Mask, closing_radius: float = 0.25) -> Mask:
    """Return the central component of a mask, notches closed as annotators outline lesions.

    Args:
        mask: (X, Y).
        closing_radius: radius of the closing disc, as a fraction of the image's shorter side.

    Returns:
        Mask (X, Y).
    """
    component = central_component(mask)
    if not component.any():
        return component
    radius = closing_radius * min(mask.shape)
    margin = int(np.ceil(radius)) + 1
    box = ndimage.find_objects(component.view(np.uint8))[0]  # a closing stays within it
    dilated = ndimage.distance_transform_edt(~np.pad(component[box], margin)) <= radius
    inner = (slice(margin, -margin),) * mask.ndim
    closed = component[box] | (ndimage.distance_transform_edt(dilated) > radius)[inner]
    component[box] = ndimage.binary_fill_holes(closed)
    return component


class _SelectComponentsd(MapTransform):
    """Set a foreground probability to 0 in components that ``select`` drops.

    Voxels that ``select`` fills get a probability of at least 0.75. The rim of a dropped component, two voxels wide, is
    removed with it. All other values stay as soft as they are, so that the map can be resampled to another grid before
    it is thresholded at 0.5.
    """

    def __init__(self, keys: KeysCollection, select: Callable[[Mask], Mask]) -> None:
        super().__init__(keys)
        self.select = select

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with the selected components."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            probability = sample[key]
            mask = np.asarray(torch.as_tensor(probability[0]).cpu()) > 0.5
            selected = self.select(mask)
            # The soft rim of a selected component lies outside its mask; the rim of a dropped one must go with it.
            dropped = ndimage.binary_dilation(mask & ~selected, iterations=2) & ~selected
            unchanged = torch.as_tensor(~dropped, device=probability.device)[None]
            filled = torch.as_tensor(selected & ~mask, device=probability.device)[None]
            sample[key] = torch.where(filled, probability.clamp_min(0.75), probability * unchanged)
        return sample


class KeepLargestComponentsd(_SelectComponentsd):
    """Keep the large components that are not air outside the body.

    A component is large if it has at least a tenth of the largest one's voxels. This is for lungs in 3-D: a collapsed
    lung is still several percent of the other one. See ``large_components``. Probabilities of dropped components and of
    their rim, two voxels wide, become 0; those of filled holes become at least 0.75.

    Args:
        keys: foreground probabilities (1, X, Y, Z).

    Example:
        >>> import torch
        >>> probability = torch.zeros(1, 12, 12, 4)
        >>> probability[:, 2:8, 2:8] = 0.9
        >>> probability[:, 10, 10, 0] = 0.9
        >>> result = KeepLargestComponentsd("pred")({"pred": probability})["pred"]
        >>> bool(result[0, 10, 10, 0] == 0), bool(result[0, 4, 4, 0] > 0.5)
        (True, True)
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, large_components)


class KeepCentralComponentd(_SelectComponentsd):
    """Keep the component with most pixels near the center, with its notches closed.

    This is for lesions in 2-D: a dermatoscope is held over the lesion. See ``closed_central_component``. Probabilities
    of dropped components and of their rim, two pixels wide, become 0; those of closed notches become at least 0.75.

    Args:
        keys: foreground probabilities (1, X, Y).

    Example:
        >>> import torch
        >>> probability = torch.zeros(1, 16, 16)
        >>> probability[:, 6:10, 6:10] = 0.9
        >>> probability[:, 0, 0] = 0.9
        >>> result = KeepCentralComponentd("pred")({"pred": probability})["pred"]
        >>> bool(result[0, 0, 0] == 0), bool(result[0, 7, 7] > 0.5)
        (True, True)
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, closed_central_component)
