"""Labeling functions that mark lung in a CT, and the weak label that they vote for.

Each uses the image alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, morphology, segmentation

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]


def air_inside_body(air: Mask) -> Mask:
    """Return the air (X, Y, Z) that is not joined to the border of its axial slice."""
    slices = [segmentation.clear_border(air[..., z]) for z in range(air.shape[2])]
    return np.stack(slices, axis=-1)


def lung_components(image: Map, mask: Mask) -> Mask:
    """Return the 3-D components of air that are large and dense enough to be lung.

    Gas in stomach or bowel is less dense. A component must have at least a tenth of the largest one's voxels and at
    least half its median intensity.

    Args:
        image: CT (X, Y, Z) in [0, 1], 0 for free air.
        mask: air inside the body, (X, Y, Z).
    """
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    index = np.arange(1, count + 1)
    sizes, levels = ndimage.sum_labels(mask, regions, index), ndimage.median(image, regions, index)
    largest = int(np.argmax(sizes))
    plausible = (sizes >= 0.1 * sizes[largest]) & (levels >= 0.5 * levels[largest])
    return np.isin(regions, index[plausible])


def close_gaps(mask: Mask, radius: int) -> Mask:
    """Fill vessels and small nodules inside the lung, slice by slice.

    A closing fills what is narrow; small holes are filled afterwards.

    Args:
        mask: (X, Y, Z).
        radius: of the closing disc, in voxels.

    Returns:
        Mask (X, Y, Z); holes of up to a hundredth of the slice are filled.
    """
    disk = morphology.disk(radius)
    max_hole_size = mask.shape[0] * mask.shape[1] // 100
    filled = np.empty_like(mask)
    for z in range(mask.shape[2]):
        padded = np.pad(mask[..., z], radius)
        closed = ndimage.binary_closing(padded, disk)[radius:-radius, radius:-radius]
        # scikit-image's remove_small_holes changed the name and the meaning of its limit in 0.26
        holes, _ = ndimage.label(~closed)
        small = np.bincount(holes.ravel()) <= max_hole_size
        filled[..., z] = closed | small[holes]
    return filled


def enclosed_gas(image: Map, mask: Mask, darkness: float = 0.05) -> Mask:
    """Return the axial regions of a mask that are as dark as free air and have a wall.

    These are the trachea and the main bronchi, the stomach and the bowel. Lung tissue is denser than free air, and an
    emphysematous part of a lung has lung around it, not a wall. The result is empty where an image does not show the
    difference, that is, where more than a fifth of ``mask`` is as dark as ``darkness``.

    Args:
        image: CT (X, Y, Z) in [0, 1], 0 for free air.
        mask: air inside the body, (X, Y, Z).
        darkness: intensity below which a voxel is as dark as free air.
    """
    gas = np.zeros_like(mask)
    if not mask.any() or np.quantile(image[mask], 0.2) < darkness:
        return gas
    for z in range(mask.shape[2]):
        cores, count = ndimage.label(ndimage.binary_opening(mask[..., z] & (image[..., z] < darkness)))
        for index in range(1, count + 1):
            core = ndimage.binary_dilation(cores == index, iterations=2)
            surround = ndimage.binary_dilation(core, iterations=2) & ~core
            if mask[..., z][surround].mean() < 0.5:
                gas[..., z] |= core
    return gas & mask


def _labeling_functions(image: Map) -> Iterator[Mask]:
    smooth = ndimage.gaussian_filter(image, (0.7, 0.7, 0))
    otsu = float(filters.threshold_otsu(smooth.ravel()))  # raveled: 3 or 4 slices would pass for a color image
    for threshold in (otsu, 0.43, 0.36):
        air = air_inside_body(smooth < threshold)
        lungs = lung_components(smooth, air & ~enclosed_gas(smooth, air))
        for radius in (2, 4):
            yield close_gaps(lungs, radius)


def lung_weak_label(image: Map) -> Map:
    """Return the fraction of six labeling functions that mark a voxel as lung.

    Three thresholds (Otsu's, -400 HU and -500 HU) find air inside the body. Enclosed gas is removed, so that trachea
    and main bronchi are not lung. Each result is closed over vessels once by two voxels and once by four.

    Args:
        image: CT (1, X, Y, Z) in [0, 1] for -1000 to 400 HU, axial slices along Z.

    Returns:
        Weak label (X, Y, Z) in [0, 1].

    Example:
        >>> import numpy as np
        >>> image = np.zeros((1, 40, 40, 2))
        >>> image[:, 4:36, 4:36] = 0.75
        >>> image[:, 12:28, 12:28] = 0.15
        >>> weak_label = lung_weak_label(image)
        >>> weak_label.shape, float(weak_label[20, 20, 0]), float(weak_label[6, 6, 0])
        ((40, 40, 2), 1.0, 0.0)
    """
    volume = np.asarray(image[0], dtype=np.float32)
    if volume.min() == volume.max():
        return np.zeros_like(volume)
    return np.mean(list(_labeling_functions(volume)), axis=0, dtype=np.float32)
