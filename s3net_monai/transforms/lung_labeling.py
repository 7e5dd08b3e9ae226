"""Simple cues of where lung is in a CT, each from the image alone, and their vote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, morphology, segmentation

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


def free_gas(image: Map, mask: Mask, darkness: float = 0.05) -> Mask:
    """Axial regions of ``mask`` as dark as free air and walled in: trachea and main bronchi, stomach and bowel.

    Lung tissue is less empty than free air, and an emptied part of a lung has lung around it, not a wall. Where an
    image does not show the difference, because more than a fifth of the air inside the body is as dark as ``darkness``,
    nothing is found.
    """
    found = np.zeros_like(mask)
    if not mask.any() or np.quantile(image[mask], 0.2) < darkness:
        return found
    for z in range(mask.shape[2]):
        cores, count = ndimage.label(ndimage.binary_opening(mask[..., z] & (image[..., z] < darkness)))
        for index in range(1, count + 1):
            core = ndimage.binary_dilation(cores == index, iterations=2)
            around = ndimage.binary_dilation(core, iterations=2) & ~core
            if mask[..., z][around].mean() < 0.5:
                found[..., z] |= core
    return found & mask


def _cues(image: Map) -> Iterator[Mask]:
    smooth = ndimage.gaussian_filter(image, (0.7, 0.7, 0))
    otsu = float(filters.threshold_otsu(smooth.ravel()))  # three or four slices would pass for a color picture
    for threshold in (otsu, 0.43, 0.36):
        air = air_inside_body(smooth < threshold)
        lungs = lung_components(smooth, air & ~free_gas(smooth, air))
        for radius in (2, 4):
            yield close_gaps(lungs, radius)


def lung_weak_label(image: Map) -> Map:
    """Share of six cues that call a voxel lung.

    Three thresholds (Otsu's, -400 HU and -500 HU) find air inside the body; free gas is dropped, so trachea and main
    bronchi are not lung; each is closed over vessels once by little and once by more.

    Args:
        image: CT (1, X, Y, Z) in [0, 1] for -1000 to 400 HU, axial slices along Z.

    Returns:
        Vote (X, Y, Z) in [0, 1].
    """
    volume = np.asarray(image[0], dtype=np.float32)
    if volume.min() == volume.max():
        return np.zeros_like(volume)
    return np.mean(list(_cues(volume)), axis=0, dtype=np.float32)
