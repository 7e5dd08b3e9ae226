"""Simple cues of where a skin lesion is, each from the image alone, and their vote."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, measure, morphology

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]


def vignette(gray: Map, darkness: float = 0.45) -> Mask:
    """The dark corners that a dermatoscope's tube leaves: dark regions that hold a corner of the picture.

    Args:
        gray: brightness (X, Y) in [0, 1].
        darkness: share of the median brightness below which a pixel counts as dark.
    """
    regions = measure.label(gray < darkness * np.median(gray))
    corners = np.unique(regions[[0, 0, -1, -1], [0, -1, 0, -1]])
    found = np.isin(regions, corners[corners > 0])
    return ndimage.binary_dilation(found, iterations=max(1, min(gray.shape) // 50)) if found.any() else found


def central_component(mask: Mask) -> Mask:
    """The connected component with the most pixels near the center, its holes filled."""
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    weights = center_weight(mask.shape)
    sums = ndimage.sum_labels(weights, regions, np.arange(1, count + 1))
    return ndimage.binary_fill_holes(regions == 1 + int(np.argmax(sums)))


def center_weight(shape: tuple[int, ...], spread: float = 0.5) -> Map:
    """A Gaussian over the picture (X, Y): 1 at the center; ``spread`` is its standard deviation in half widths."""
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    return np.exp(-sum(axis**2 for axis in axes) / (2 * spread**2))


def skin_weak_label(image: Map) -> Map:
    """``skin_lesion_prior``, drawn towards one half where the cues of a picture disagree.

    Args:
        image: RGB picture (3, X, Y) in [0, 1].

    Returns:
        (X, Y) in [0, 1]. ``|2 vote - 1|`` is the share by which the cues agree on the pixel, times their agreement on
        the picture: the mean Dice between the four cues of Otsu's threshold, 0 for 0.5 and less, 1 from 0.9 on.
    """
    cues = skin_labeling_functions(image)
    if not cues:
        return np.full(image.shape[1:], 0.5, dtype=np.float32)
    agreement = np.mean([dice(a, b) for a, b in combinations(cues[:4], 2)])
    return (0.5 + (weighted_vote(cues) - 0.5) * np.clip((agreement - 0.5) / 0.4, 0, 1)).astype(np.float32)


def skin_lesion_prior(image: Map) -> Map:
    """The ``weighted_vote`` of ``skin_labeling_functions``, (X, Y) in [0, 1], for one image; 0 without cues."""
    return weighted_vote(skin_labeling_functions(image) or [np.zeros(image.shape[1:], dtype=bool)])


def weighted_vote(cues: list[Mask], power: float = 4.0) -> Map:
    """The weighted share of cues that hold a pixel, (X, Y) in [0, 1].

    Args:
        cues: masks (X, Y).
        power: a weak label's weight is its mean Dice with all cues, itself among them, to this power, so that a weak label that
            found something else than the rest hardly counts.
    """
    overlap = np.array([[dice(a, b) for b in cues] for a in cues])
    weights = (overlap.mean(axis=0) ** power).astype(np.float32)
    return np.tensordot(weights / weights.sum(), np.stack(cues).astype(np.float32), axes=1)


def skin_labeling_functions(image: Map) -> list[Mask]:
    """Eight cues of where the lesion is, (X, Y) each.

    Four maps of the blurred picture, with the vignette left out: the blue channel, the brightness, the distance from
    the skin's color in CIELAB, and that distance without brightness (for lesions that are red or pale rather than
    dark). The skin's color is the median along the border. Each map is cut by Otsu's threshold into skin and lesion
    (the first four cues) and by the lower of two thresholds into skin, rim and core (the last four); of each cut the
    central component is the weak label. Hairs and ruler ticks are closed beforehand, and ``skin_artifacts`` left out. A
    picture without a border of skin, of a few pixels or dark all over, has no cues.

    Args:
        image: RGB picture (3, X, Y) in [0, 1].
    """
    picture = without_hair(np.asarray(image, dtype=np.float32))
    blurred = ndimage.gaussian_filter(picture, (0, *[size / 100 for size in picture.shape[1:]]))
    usable = ~vignette(blurred.mean(axis=0))
    rim = _rim(usable)
    if not rim.any():
        return []
    usable &= ~skin_artifacts(blurred, rim)
    rim = _rim(usable)
    if not rim.any():
        return []
    maps = _lesion_maps(blurred, rim)
    thresholds = [filters.threshold_otsu(values[usable]) for values in maps]
    thresholds += [lower_threshold(values[usable]) for values in maps]
    cuts = zip(maps * 2, thresholds, strict=True)
    return [central_component((values > threshold) & usable) for values, threshold in cuts]


def without_hair(picture: Map) -> Map:
    """The picture (C, X, Y) after a gray closing of each channel, which fills hairs and ruler ticks with their ground.

    Closing is what DullRazor (Lee et al. 1997) does along lines; a disc of 2.3 % of the picture's size as radius is
    wider than a hair in every direction and leaves all larger dark shapes where they are.
    """
    disc = morphology.disk(max(1, round(min(picture.shape[1:]) / 43)))
    return np.stack([ndimage.grey_closing(channel, footprint=disc) for channel in picture])


def skin_artifacts(picture: Map, rim: Mask, limit: float = 45.0) -> Mask:
    """Color patches, cloth and ink: pixels (X, Y) whose hue no skin and no lesion has, with a margin.

    Args:
        picture: blurred RGB (3, X, Y) in [0, 1].
        rim: where the skin's color is read, (X, Y).
        limit: distance from that color in the a*b* plane of CIELAB.
    """
    odd = _lesion_maps(picture, rim)[3] > limit
    return ndimage.binary_dilation(odd, iterations=max(1, min(odd.shape) // 43)) if odd.any() else odd


def lower_threshold(values: Map) -> float:
    """The lower of the two thresholds that split values into three classes; Otsu's for values of fewer classes."""
    try:
        return float(filters.threshold_multiotsu(values, classes=3, nbins=64)[0])
    except ValueError:  # fewer than three distinct values
        return float(filters.threshold_otsu(values))


def dice(first: Mask, second: Mask) -> float:
    """Dice of two masks, 1 for two empty ones."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _rim(usable: Mask) -> Mask:
    """The fifth of the usable pixels that is farthest from the center."""
    weight = center_weight(usable.shape)
    return usable & (weight < np.quantile(weight[usable], 0.2)) if usable.any() else usable


def _lesion_maps(blurred: Map, rim: Mask) -> tuple[Map, ...]:
    lab = color.rgb2lab(np.moveaxis(blurred, 0, -1).clip(0, 1))
    difference = lab - np.median(lab[rim], axis=0)
    return (
        -blurred[2],
        -lab[..., 0],
        np.linalg.norm(difference, axis=-1),
        np.linalg.norm(difference[..., 1:], axis=-1),
    )
