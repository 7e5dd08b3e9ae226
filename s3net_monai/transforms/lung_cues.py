"""Simple cues of where lung is in a CT, each from the image alone, and their vote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, measure, morphology, segmentation

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]


def air_inside_body(air: Mask) -> Mask:
    """Air (X, Y, Z) that no path within its axial slice joins to the border of that slice."""
    slices = [segmentation.clear_border(air[..., z]) for z in range(air.shape[2])]
    return np.stack(slices, axis=-1)


def lung_components(image: Map, mask: Mask) -> Mask:
    """The 3-D components of air that may be lung: not small, and not as empty as gas in stomach or bowel.

    A component is kept with at least a tenth of the largest one's voxels and at least half its median intensity.

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
    keep = (sizes >= 0.1 * sizes[largest]) & (levels >= 0.5 * levels[largest])
    return np.isin(regions, index[keep])


def close_gaps(mask: Mask, radius: int) -> Mask:
    """Vessels and small nodules inside the lung filled, slice by slice: a closing by ``radius`` voxels, then holes."""
    disk = morphology.disk(radius)
    limit = mask.shape[0] * mask.shape[1] // 100
    out = np.empty_like(mask)
    for z in range(mask.shape[2]):
        padded = np.pad(mask[..., z], radius)
        closed = ndimage.binary_closing(padded, disk)[radius:-radius, radius:-radius]
        # scikit-image's remove_small_holes changed the name and the meaning of its limit in 0.26
        holes, _ = ndimage.label(~closed)
        small = np.bincount(holes.ravel()) <= limit
        out[..., z] = closed | small[holes]
    return out


def free_gas(image: Map, mask: Mask, darkness: float = 0.05) -> tuple[Mask, Mask]:
    """Axial regions of ``mask`` as dark as free air: (large ones: stomach, bowel; small ones: trachea, bronchi).

    Lung tissue is less empty than free air. Where the scale of an image does not show that difference, because lung
    itself is darker than 1.6 times ``darkness``, nothing is found.
    """
    large, small = np.zeros_like(mask), np.zeros_like(mask)
    if not mask.any() or np.median(image[mask]) < 1.6 * darkness:
        return large, small
    limit = mask.shape[0] * mask.shape[1] // 250
    for z in range(mask.shape[2]):
        core = ndimage.binary_opening(mask[..., z] & (image[..., z] < darkness), morphology.disk(1))
        for region in measure.regionprops(measure.label(core)):
            if region.solidity > 0.8:
                (large if region.area > limit else small)[(*region.coords.T, z)] = True
    around = morphology.disk(2)[..., None]
    return ndimage.binary_dilation(large, around) & mask, ndimage.binary_dilation(small, around) & mask


def _cues(image: Map) -> Iterator[Mask]:
    smooth = ndimage.gaussian_filter(image, (0.7, 0.7, 0))
    otsu = float(filters.threshold_otsu(smooth.ravel()))  # three or four slices would pass for a colour picture
    for threshold, radius in ((otsu, 3), (0.43, 2), (0.36, 4)):
        air = air_inside_body(smooth < threshold)
        gas, airway = free_gas(smooth, air)
        yield close_gaps(lung_components(smooth, air & ~gas), radius)
        yield close_gaps(lung_components(smooth, air & ~gas & ~airway), radius)


def lung_vote(image: Map) -> Map:
    """Share of six cues that call a voxel lung.

    Three thresholds (Otsu's, -400 HU and -500 HU) find air inside the body; gas of stomach and bowel is dropped. Each
    is closed over vessels once with the large airways and once without: airways are left to the other loss terms.

    Args:
        image: CT (1, X, Y, Z) in [0, 1] for -1000 to 400 HU, axial slices along Z.

    Returns:
        Vote (X, Y, Z) in [0, 1].
    """
    volume = np.asarray(image[0], dtype=np.float32)
    if volume.min() == volume.max():
        return np.zeros_like(volume)
    return np.mean(list(_cues(volume)), axis=0, dtype=np.float32)
