"""Selection of images from arrays of features and consistency scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

FloatArray = NDArray[np.floating]

FIRST_ROUND = 10  # images
MAX_CANDIDATES = 40  # images


def select_images(
    features: FloatArray,
    consistency: Sequence[float | None],
    *,
    selected: Sequence[int],
    count: int = 1,
    first_round: int = FIRST_ROUND,
    max_candidates: int = MAX_CANDIDATES,
) -> list[int]:
    """Select the images to label next, in order of priority.

    Selecting several images at once gives the same result as selecting one at a time.

    The first round selects medoids of all images (``select_medoids``): few masks have been corrected yet, and
    dissimilar images are more informative than similar ones. Later rounds select images with low consistency. Since a
    model fails on groups of similar images, plain ascending consistency would present one error again and again.
    Instead, the next image is the medoid of the ``max_candidates`` least consistent images, given those that are
    already selected.

    Args:
        features: (N, F) of all images.
        consistency: N scores from 0 to 1. An image without a score (None) counts as 0, since it needs review.
        selected: indices of images that have a label or that an annotator is working on.
        count: number of images to select; fewer are returned if fewer remain.
        first_round: number of selected images at which scores begin to count.
        max_candidates: number of least consistent images to choose from; 1 gives plain ascending consistency.

    Returns:
        Indices of images that are not in ``selected``.
    """
    scores = [score or 0.0 for score in consistency]
    candidates = sorted(set(range(len(features))) - set(selected), key=lambda index: (scores[index], index))
    all_selected = list(selected)
    for _ in range(min(count, len(candidates))):
        pool = candidates if len(all_selected) < first_round else candidates[:max_candidates]
        (best,) = select_medoids(features, pool, selected=all_selected, count=1)
        candidates.remove(best)
        all_selected.append(best)
    return all_selected[len(selected) :]


def select_medoids(
    features: FloatArray, candidates: Sequence[int], *, selected: Sequence[int], count: int
) -> list[int]:
    """Select images greedily so that every candidate is close to a selected one (greedy k-medoids).

    Each step selects the image that most reduces the sum over the candidates of the distance to the nearest selected
    image. Unlike in k-center, an outlier counts as one image and is not selected first. Selection is incremental:
    a call with the previous result in ``selected`` continues it.

    Args:
        features: (N, F) of all images.
        candidates: indices of the images to choose from, whose distances are reduced.
        selected: indices of images that are already selected.
        count: number of images to select; fewer are returned if there are fewer candidates.

    Example:
        >>> select_medoids(np.array([[0.0], [1.0], [10.0]]), [0, 1, 2], selected=[], count=2)
        [1, 2]
    """
    pool = list(candidates)
    if not pool:
        return []
    standardized = standardize(features)
    pairwise = cdist(standardized[pool], standardized[pool])
    if selected:
        nearest = cdist(standardized[pool], standardized[list(selected)]).min(axis=1)
    else:
        nearest = np.full(len(pool), pairwise.max())
    medoids: list[int] = []
    for _ in range(min(count, len(pool))):
        reduction = np.maximum(nearest - pairwise, 0).sum(axis=1)
        reduction[medoids] = -1.0
        medoids.append(int(reduction.argmax()))
        nearest = np.minimum(nearest, pairwise[medoids[-1]])
    return [pool[index] for index in medoids]


def standardize(features: FloatArray) -> FloatArray:
    """Scale features (N, F) to mean 0 and standard deviation 1 over the images; constant features become 0."""
    deviation = features.std(axis=0)
    standardized: FloatArray = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return standardized
