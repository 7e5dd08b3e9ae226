"""Labeling functions that mark a skin lesion, and the weak label that they vote for.

Each uses the image alone.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, measure, morphology

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]


def vignette(gray: Map, darkness: float = 0.45) -> Mask:
    """Return the dark corners that a dermatoscope's tube leaves, (X, Y).

    They are the dark regions that contain a corner of the image.

    Args:
        gray: brightness (X, Y) in [0, 1].
        darkness: fraction of the median brightness below which a pixel counts as dark.
    """
    regions = measure.label(gray < darkness * np.median(gray))
    corners = np.unique(regions[[0, 0, -1, -1], [0, -1, 0, -1]])
    mask = np.isin(regions, corners[corners > 0])
    return ndimage.binary_dilation(mask, iterations=max(1, min(gray.shape) // 50)) if mask.any() else mask


def central_component(mask: Mask) -> Mask:
    """Return the connected component with the most pixels near the center, its holes filled."""
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    sums = np.bincount(regions.ravel(), weights=_center_weight(mask.shape).ravel())
    chosen = 1 + int(np.argmax(sums[1:]))
    box = ndimage.find_objects(regions, chosen)[-1]
    component = np.zeros_like(mask)
    component[box] = ndimage.binary_fill_holes(regions[box] == chosen)
    return component


def center_weight(shape: tuple[int, ...], spread: float = 0.5) -> Map:
    """Return a Gaussian over the image (X, Y), 1 at the center.

    Args:
        shape: of the image.
        spread: standard deviation in half widths.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    return np.exp(-sum(axis**2 for axis in axes) / (2 * spread**2))


# Every image of a network has the same size, and needs the map a dozen times.
_center_weight = lru_cache(maxsize=2)(center_weight)


def skin_weak_label(image: Map) -> Map:
    """Return the weak label of a skin lesion.

    It is ``skin_lesion_prior``, moved towards one half where the labeling functions disagree.

    Args:
        image: RGB image (3, X, Y) in [0, 1].

    Returns:
        Weak label (X, Y) in [0, 1]. ``|2 weak_label - 1|`` is the agreement of the labeling functions on the pixel
        times their agreement on the image: the mean Dice between the four masks of Otsu's threshold, scaled to 0 for
        0.5 and less and to 1 from 0.9 on.

    Example:
        >>> import numpy as np
        >>> image = np.full((3, 40, 40), 0.8, dtype=np.float32)
        >>> image[:, 14:26, 14:26] = 0.2
        >>> weak_label = skin_weak_label(image)
        >>> weak_label.shape, bool(weak_label[20, 20] > 0.5), bool(weak_label[2, 20] > 0.5)
        ((40, 40), True, False)
    """
    masks = skin_labeling_functions(image)
    if not masks:
        return np.full(image.shape[1:], 0.5, dtype=np.float32)
    agreement = np.mean([dice(a, b) for a, b in combinations(masks[:4], 2)])
    return (0.5 + (weighted_vote(masks) - 0.5) * np.clip((agreement - 0.5) / 0.4, 0, 1)).astype(np.float32)


def skin_lesion_prior(image: Map) -> Map:
    """Return the vote of the labeling functions, without regard to their agreement.

    It is the ``weighted_vote`` of ``skin_labeling_functions`` on one image.

    Args:
        image: RGB image (3, X, Y) in [0, 1].

    Returns:
        (X, Y) in [0, 1]; 0 where no labeling function applies.

    Example:
        >>> import numpy as np
        >>> image = np.full((3, 40, 40), 0.8, dtype=np.float32)
        >>> image[:, 14:26, 14:26] = 0.2
        >>> prior = skin_lesion_prior(image)
        >>> bool(prior[20, 20] > 0.5), bool(prior[2, 20] > 0.5)
        (True, False)
    """
    return weighted_vote(skin_labeling_functions(image) or [np.zeros(image.shape[1:], dtype=bool)])


def weighted_vote(masks: list[Mask], power: float = 4.0) -> Map:
    """Return the weighted fraction of masks that contain a pixel, (X, Y) in [0, 1].

    Args:
        masks: (X, Y) each.
        power: a mask's weight is its mean Dice with all masks, itself included, to this power, so that a mask that
            differs from all others hardly counts.
    """
    overlap = np.array([[dice(a, b) for b in masks] for a in masks])
    weights = (overlap.mean(axis=0) ** power).astype(np.float32)
    return np.tensordot(weights / weights.sum(), np.stack(masks).astype(np.float32), axes=1)


def skin_labeling_functions(image: Map) -> list[Mask]:
    """Return the masks of eight labeling functions for a lesion, (X, Y) each.

    They start from four maps of the blurred image, outside the vignette: the blue channel, the brightness, the distance
    from the skin's color in CIELAB, and that distance without brightness (for lesions that are red or pale rather than
    dark). The skin's color is the median along the border. Each map is thresholded twice: by Otsu's threshold into skin
    and lesion (the first four masks) and by the lower of two thresholds into skin, rim and core (the last four). The
    mask is the central component. Hairs and ruler ticks are closed beforehand, and ``skin_artifacts`` excluded.

    Args:
        image: RGB image (3, X, Y) in [0, 1].

    Returns:
        Eight masks; none for an image without a border of skin, that is, of a few pixels or dark all over.
    """
    shaved = without_hair(np.asarray(image, dtype=np.float32))
    blurred = ndimage.gaussian_filter(shaved, (0, *[size / 100 for size in shaved.shape[1:]]))
    usable = ~vignette(blurred.mean(axis=0))
    rim = _rim(usable)
    if not rim.any():
        return []
    lab = _lab(blurred)
    usable &= ~_artifacts(lab, rim)
    rim = _rim(usable)
    if not rim.any():
        return []
    maps = _lesion_maps(blurred, lab, rim)
    thresholds = [filters.threshold_otsu(values[usable]) for values in maps]
    thresholds += [lower_threshold(values[usable]) for values in maps]
    pairs = zip(maps * 2, thresholds, strict=True)
    return [central_component((values > threshold) & usable) for values, threshold in pairs]


def without_hair(image: Map) -> Map:
    """Return the image (C, X, Y) with hairs and ruler ticks filled.

    Each channel undergoes a gray closing. DullRazor (Lee et al. 1997) closes along lines; a disc with a radius of 2.3 %
    of the image size is wider than a hair in every direction and leaves all larger dark shapes unchanged.
    """
    disc = morphology.disk(max(1, round(min(image.shape[1:]) / 43)))
    return np.stack([ndimage.grey_closing(channel, footprint=disc) for channel in image])


def skin_artifacts(image: Map, rim: Mask, max_distance: float = 45.0) -> Mask:
    """Return the pixels (X, Y) of color patches, cloth and ink, with a margin.

    Their hue is one that no skin and no lesion has.

    Args:
        image: blurred RGB (3, X, Y) in [0, 1].
        rim: pixels from which the skin's color is read, (X, Y).
        max_distance: largest distance of skin and lesion from that color in the a*b* plane of CIELAB.
    """
    return _artifacts(_lab(image), rim, max_distance)


def _artifacts(lab: Map, rim: Mask, max_distance: float = 45.0) -> Mask:
    """Return ``skin_artifacts`` of an image (X, Y, 3) in CIELAB."""
    artifacts = _length(lab[..., 1:] - np.median(lab[rim][:, 1:], axis=0)) > max_distance
    if not artifacts.any():
        return artifacts
    return ndimage.binary_dilation(artifacts, iterations=max(1, min(artifacts.shape) // 43))


def lower_threshold(values: Map) -> float:
    """Return the lower of the two thresholds that split values into three classes.

    Values of fewer than three classes give Otsu's threshold.
    """
    try:
        return float(filters.threshold_multiotsu(values, classes=3, nbins=64)[0])
    except ValueError:  # fewer than three distinct values
        return float(filters.threshold_otsu(values))


def dice(first: Mask, second: Mask) -> float:
    """Return the Dice coefficient of two masks, 1 for two empty ones."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _rim(usable: Mask) -> Mask:
    """Return the fifth of the usable pixels that is farthest from the center."""
    weight = _center_weight(usable.shape)
    return usable & (weight < np.quantile(weight[usable], 0.2)) if usable.any() else usable


def _lab(image: Map) -> Map:
    """Return an RGB image (3, X, Y) in CIELAB, (X, Y, 3)."""
    lab: Map = color.rgb2lab(np.moveaxis(image, 0, -1).clip(0, 1))
    return lab


def _length(vectors: Map) -> Map:
    """Return the lengths of vectors (X, Y, N), in a third of the time of ``np.linalg.norm``."""
    return np.sqrt(sum(part**2 for part in np.moveaxis(vectors, -1, 0)))


def _lesion_maps(blurred: Map, lab: Map, rim: Mask) -> tuple[Map, ...]:
    difference = lab - np.median(lab[rim], axis=0)
    return -blurred[2], -lab[..., 0], _length(difference), _length(difference[..., 1:])
