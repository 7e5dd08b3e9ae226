"""Shape of a skin lesion in a picture: the A, B and D of the ABCD rule, measured on the mask.

A clinical rule of thumb (Friedman 1985; for dermoscopy Nachbar et al. 1994, J Am Acad Dermatol 30:551-559) scores
asymmetry, border, color and diameter or dermoscopic structure by eye. These are the usual numbers for it; no threshold
is applied to them.
"""

from __future__ import annotations

import numpy as np

MAX_MIRROR_TEST_PIXELS = 512  # pixels along the longer side of a lesion that the mirror test looks at


def diameter(mask: np.ndarray, pixel_size: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """Largest Feret diameter: the longest distance between two points of the outline; None where the mask is empty.

    The outline runs half a pixel outside the centers of the outermost pixels, so that a single pixel measures 1 and a
    row of n pixels n. scikit-image's ``feret_diameter_max`` differs by less than a pixel, and takes seconds and
    gigabytes for a large picture.

    Args:
        mask: (X, Y) bool.
        pixel_size: of the two axes, in the unit of the result.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    # Of every row only the two ends can lie on the hull, which keeps large pictures quick.
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)]).astype(float)
    edges = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    outline = (ends[:, None] + edges).reshape(-1, 2) * pixel_size
    return float(pdist(outline[ConvexHull(outline).vertices]).max())


def asymmetry(mask: np.ndarray) -> float | None:
    """Share of the area that its mirror image leaves uncovered: 0 for a symmetric shape; None where the mask is empty.

    The lesion is mirrored about each of its two principal axes (of the second moments, through the centroid), as when
    it is folded (Stoecker et al. 1992, Comput Med Imaging Graph 16:191-197); the two shares are averaged. Pixels are
    taken as square. Round shapes have no principal axes of their own, and for them any axis gives about the same.

    Args:
        mask: (X, Y) bool.
    """
    points = np.argwhere(mask)
    if not points.size:
        return None
    step = int(np.ceil((np.ptp(points, axis=0).max() + 1) / MAX_MIRROR_TEST_PIXELS))
    mask = mask[::step, ::step]
    points = np.argwhere(mask)
    if not points.size:  # finer than the step: nothing that a fold could tell
        return None
    center = points.mean(axis=0)
    offsets = points - center
    _, axes = np.linalg.eigh(offsets.T @ offsets)
    uncovered = []
    for axis in axes.T:
        mirrored = np.rint(center + offsets - 2 * np.outer(offsets @ axis, axis)).astype(int)
        inside = ((mirrored >= 0) & (mirrored < mask.shape)).all(axis=1)
        covered = mask[tuple(mirrored[inside].T)].sum()
        uncovered.append(1.0 - covered / len(points))
    return float(np.mean(uncovered))


def border_irregularity(mask: np.ndarray) -> float | None:
    """Perimeter squared over 4 pi times the area: 1 for a disc, more the more ragged; None where the mask is empty.

    The index of Golston et al. 1992 (Comput Med Imaging Graph 16:199-203). The perimeter is scikit-image's Crofton
    estimate in four directions, inner outlines included. Pixels are taken as square.

    Args:
        mask: (X, Y) bool.
    """
    from skimage.measure import perimeter_crofton

    area = np.count_nonzero(mask)
    if not area:
        return None
    perimeter = perimeter_crofton(np.pad(mask, 1), directions=4)
    return max(1.0, float(perimeter**2 / (4 * np.pi * area)))  # no shape has less; pixels can make it seem so
