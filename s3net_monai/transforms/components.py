"""Which connected components of a foreground probability are the structure, by rules that see no ground truth."""

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


def large_components(mask: Mask, share: float = 0.1) -> Mask:
    """The components with at least ``share`` of the largest one's voxels, holes filled in every axial slice.

    What touches the border of the axial plane is air outside the body, unless it is larger than all that does not: then
    the field of view cuts the lung.

    Args:
        mask: (X, Y, Z).
        share: of the largest component's size; a collapsed lung is still several percent of the other one.
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
    kept = np.isin(regions, np.flatnonzero((sizes > 0) & (sizes >= share * sizes.max())))
    return np.stack([ndimage.binary_fill_holes(kept[..., z]) for z in range(kept.shape[2])], axis=-1)


def rounded_central(mask: Mask, reach: float = 0.25) -> Mask:
    """The central component, its notches closed as one draws around a lesion.

    Args:
        mask: (X, Y).
        reach: radius of the closing disc as a share of the picture's shorter side.
    """
    component = central_component(mask)
    if not component.any():
        return component
    radius = reach * min(mask.shape)
    margin = int(np.ceil(radius)) + 1
    grown = ndimage.distance_transform_edt(~np.pad(component, margin)) <= radius
    inner = (slice(margin, -margin),) * mask.ndim
    return ndimage.binary_fill_holes(component | (ndimage.distance_transform_edt(grown) > radius)[inner])


class _KeepComponentsd(MapTransform):
    """Set a foreground probability to 0 in components that ``select`` drops, and to at least 0.75 in what it fills.

    The rim of a dropped component, two voxels wide, goes with it. All else stays as soft as it is, so that the map can
    be resampled to another grid before it is cut at 0.5.
    """

    def __init__(self, keys: KeysCollection, select: Callable[[Mask], Mask]) -> None:
        super().__init__(keys)
        self.select = select

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            probability = sample[key]
            mask = np.asarray(torch.as_tensor(probability[0]).cpu()) > 0.5
            kept = self.select(mask)
            # The soft rim of a kept component lies outside its mask; the rim of a dropped one must go with it.
            dropped = ndimage.binary_dilation(mask & ~kept, iterations=2) & ~kept
            keep = torch.as_tensor(~dropped, device=probability.device)[None]
            filled = torch.as_tensor(kept & ~mask, device=probability.device)[None]
            sample[key] = torch.where(filled, probability.clamp_min(0.75), probability * keep)
        return sample


class KeepLargestComponentsd(_KeepComponentsd):
    """Keep the components of at least a tenth of the largest one's size that are not air outside the body.

    For lungs in 3-D: a collapsed lung is still several percent of the other one. See ``large_components``. Probabilities
    of dropped components and of their rim, two voxels wide, become 0, those of filled holes at least 0.75.

    Args:
        keys: foreground probabilities (1, X, Y, Z).

    Example:
        >>> probability = torch.zeros(1, 12, 12, 4)
        >>> probability[:, 2:8, 2:8] = 0.9
        >>> probability[:, 10, 10, 0] = 0.9
        >>> kept = KeepLargestComponentsd("pred")({"pred": probability})["pred"]
        >>> bool(kept[0, 10, 10, 0] == 0), bool(kept[0, 4, 4, 0] > 0.5)
        (True, True)
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, large_components)


class KeepCentralComponentd(_KeepComponentsd):
    """Keep the component with most pixels near the center, its notches closed.

    For lesions in 2-D: a dermatoscope is held over the lesion. See ``rounded_central``. Probabilities of dropped
    components and of their rim, two pixels wide, become 0, those of closed notches at least 0.75.

    Args:
        keys: foreground probabilities (1, X, Y).

    Example:
        >>> probability = torch.zeros(1, 16, 16)
        >>> probability[:, 6:10, 6:10] = 0.9
        >>> probability[:, 0, 0] = 0.9
        >>> kept = KeepCentralComponentd("pred")({"pred": probability})["pred"]
        >>> bool(kept[0, 0, 0] == 0), bool(kept[0, 7, 7] > 0.5)
        (True, True)
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, rounded_central)
