"""Simple cues of where a skin lesion is, each from the image alone, and their vote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, measure

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]


def vignette(grey: Map, darkness: float = 0.45) -> Mask:
    """The dark corners that a dermatoscope's tube leaves: dark regions that hold a corner of the picture.

    Args:
        grey: brightness (X, Y) in [0, 1].
        darkness: share of the median brightness below which a pixel counts as dark.
    """
    regions = measure.label(grey < darkness * np.median(grey))
    corners = np.unique(regions[[0, 0, -1, -1], [0, -1, 0, -1]])
    found = np.isin(regions, corners[corners > 0])
    return ndimage.binary_dilation(found, iterations=max(1, min(grey.shape) // 50)) if found.any() else found


def central_component(mask: Mask) -> Mask:
    """The connected component with the most pixels near the centre, its holes filled."""
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    weights = centre_weight(mask.shape)
    sums = ndimage.sum_labels(weights, regions, np.arange(1, count + 1))
    return ndimage.binary_fill_holes(regions == 1 + int(np.argmax(sums)))


def centre_weight(shape: tuple[int, ...], spread: float = 0.5) -> Map:
    """A Gaussian over the picture (X, Y): 1 at the centre; ``spread`` is its standard deviation in half widths."""
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    return np.exp(-sum(axis**2 for axis in axes) / (2 * spread**2))


def skin_vote(image: Map) -> Map:
    """Share of four cues that call a pixel lesion.

    Each cue is Otsu's threshold on one map of the blurred picture, with the vignette left out and the central component
    kept: the blue channel, the brightness, the distance from the skin's colour in CIELAB, and the same distance without
    its brightness (for lesions that are red or pale rather than dark). Skin's colour is the median along the border; a
    picture without any, of a few pixels or dark all over, gets no vote.

    Args:
        image: RGB picture (3, X, Y) in [0, 1].

    Returns:
        Vote (X, Y) in {0, 0.25, 0.5, 0.75, 1}.
    """
    blurred = ndimage.gaussian_filter(
        np.asarray(image, dtype=np.float32), (0, *[size / 100 for size in image.shape[1:]])
    )
    lab = color.rgb2lab(np.moveaxis(blurred, 0, -1).clip(0, 1))
    usable = ~vignette(blurred.mean(axis=0))
    weight = centre_weight(usable.shape)
    rim = usable & (weight < np.quantile(weight[usable], 0.2)) if usable.any() else usable
    if not rim.any():
        return np.zeros(usable.shape, dtype=np.float32)
    difference = lab - np.median(lab[rim], axis=0)
    maps = (
        -blurred[2],
        -lab[..., 0],
        np.linalg.norm(difference, axis=-1),
        np.linalg.norm(difference[..., 1:], axis=-1),
    )
    cues = [central_component((values > filters.threshold_otsu(values[usable])) & usable) for values in maps]
    return np.mean(cues, axis=0, dtype=np.float32)
