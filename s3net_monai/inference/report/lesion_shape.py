"""Shape of a skin lesion: the A, B and D of the ABCD rule, measured on the mask of a 2-D image.

This clinical rule of thumb (Friedman 1985; for dermoscopy Nachbar et al. 1994, J Am Acad Dermatol 30:551-559) scores
asymmetry, border, color and diameter or dermoscopic structure by eye. The functions compute the usual numbers for it
and apply no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_MIRROR_TEST_PIXELS = 512  # pixels along the longer side of a lesion; larger ones are subsampled


def diameter(mask: np.ndarray, pixel_size: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """Return the largest Feret diameter: the longest distance between two points of the outline.

    The outline runs half a pixel outside the centers of the outermost pixels, so that a single pixel measures 1 and a
    row of n pixels n. scikit-image's ``feret_diameter_max`` differs by less than a pixel, but takes seconds and
    gigabytes for a large image.

    Args:
        mask: (X, Y) bool.
        pixel_size: pixel size along the two axes, in the unit of the result.

    Returns:
        The diameter, or None where the mask is empty.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    # Only the two ends of a row can be on the hull, which keeps large images fast.
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)]).astype(float)
    edges = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    outline = (ends[:, None] + edges).reshape(-1, 2) * pixel_size
    return float(pdist(outline[ConvexHull(outline).vertices]).max())


def asymmetry(mask: np.ndarray) -> float | None:
    """Return the fraction of the area that its mirror image leaves uncovered: 0 for a symmetric shape.

    The lesion is mirrored about each of its two principal axes (of the second moments, through the centroid), as if it
    were folded (Stoecker et al. 1992, Comput Med Imaging Graph 16:191-197); the two fractions are averaged. Pixels are
    treated as square. A round shape has no distinct principal axes, but every axis gives about the same result.

    Args:
        mask: (X, Y) bool.

    Returns:
        The asymmetry, or None where the mask is empty.
    """
    extents = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not extents[0].size:
        return None
    step = int(np.ceil((max(np.ptp(extent) for extent in extents) + 1) / MAX_MIRROR_TEST_PIXELS))
    mask = mask[::step, ::step]
    points = np.nonzero(mask)
    if not points[0].size:  # the shape is finer than the step, so that no sample met it
        return None
    center = [float(axis.mean()) for axis in points]
    offsets = [axis - middle for axis, middle in zip(points, center, strict=True)]
    _, axes = np.linalg.eigh([[first @ second for second in offsets] for first in offsets])
    along = offsets[0] * axes[0, 0] + offsets[1] * axes[1, 0]
    mirrored = [offset - 2 * axis * along for offset, axis in zip(offsets, axes[:, 0], strict=True)]
    # The mirror image about the other axis is this one, turned by 180 degrees.
    covered = [
        _num_covered(mask, [middle + sign * part for middle, part in zip(center, mirrored, strict=True)])
        for sign in (1, -1)
    ]
    return float(np.mean([1.0 - number / offsets[0].size for number in covered]))


def _num_covered(mask: np.ndarray, points: Sequence[np.ndarray]) -> int:
    """Return how many points, given by their coordinates along both axes, are in the mask (X, Y)."""
    x, y = (np.rint(axis).astype(np.intp) for axis in points)
    inside = (x >= 0) & (x < mask.shape[0]) & (y >= 0) & (y < mask.shape[1])
    return int(np.count_nonzero(mask[x[inside], y[inside]]))


def border_irregularity(mask: np.ndarray) -> float | None:
    """Return perimeter squared over 4 pi times the area: 1 for a disc, larger for a ragged border.

    This is the index of Golston et al. 1992 (Comput Med Imaging Graph 16:199-203). The perimeter is scikit-image's
    Crofton estimate in four directions, inner outlines included. Pixels are treated as square.

    Args:
        mask: (X, Y) bool.

    Returns:
        The irregularity, or None where the mask is empty.
    """
    from skimage.measure import perimeter_crofton

    area = np.count_nonzero(mask)
    if not area:
        return None
    perimeter = perimeter_crofton(np.pad(mask, 1), directions=4)
    return max(1.0, float(perimeter**2 / (4 * np.pi * area)))  # no shape has less, but the estimate can
