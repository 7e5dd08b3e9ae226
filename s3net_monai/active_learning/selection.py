"""Choosing images from their features and consistency scores; arrays only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Numbers = NDArray[np.floating]

FIRST_ROUND = 10  # images
MAX_CANDIDATES = 40  # images


def next_images(
    features: Numbers,
    consistency: Sequence[float | None],
    taken: Sequence[int],
    count: int = 1,
    first_round: int = FIRST_ROUND,
    among: int = MAX_CANDIDATES,
) -> list[int]:
    """The images to label next, the first one first; several are what one would get by asking for one at a time.

    In the first round the images that cover all others best (``covering``): few masks have been judged yet, and images
    far from one another teach more than neighbors. Afterwards the least consistent ones. A model fails on images that
    are alike, so that the plain order would show one mistake again and again: of the ``among`` least consistent images
    the one comes that, with those already taken, covers these best.

    Args:
        features: (N, F) of all images.
        consistency: N scores from 0 to 1. None for an image that has no score counts as 0: it needs a look.
        taken: indices of images that have a label, or that an annotator is at.
        count: how many to choose; fewer where fewer are left.
        first_round: how many images are taken before scores count.
        among: 1 is the plain order of the scores.

    Returns:
        Indices, none of them taken.
    """
    scores = [score or 0.0 for score in consistency]
    order = sorted(set(range(len(features))) - set(taken), key=lambda index: (scores[index], index))
    chosen = list(taken)
    for _ in range(min(count, len(order))):
        (best,) = covering(features, order if len(chosen) < first_round else order[:among], chosen, 1)
        order.remove(best)
        chosen.append(best)
    return chosen[len(taken) :]


def covering(features: Numbers, candidates: Sequence[int], chosen: Sequence[int], count: int) -> list[int]:
    """Greedy medoids: each pick shortens most the way from the candidates to the nearest image that is chosen.

    Like k-center this spreads the choice over all images, but an odd one far from everything counts as one image and
    is not the first to be picked. A greedy choice goes on where an earlier one stopped.

    Args:
        features: (N, F) of all images.
        candidates: indices to choose from, and to cover.
        chosen: indices chosen before, which cover their neighbors.
        count: how many to choose; fewer where there are fewer candidates.
    """
    pool = list(candidates)
    if not pool:
        return []
    scaled = z_scored(features)
    inner = cdist(scaled[pool], scaled[pool])
    way = cdist(scaled[pool], scaled[list(chosen)]).min(axis=1) if chosen else np.full(len(pool), inner.max())
    picked: list[int] = []
    for _ in range(min(count, len(pool))):
        gain = np.maximum(way - inner, 0).sum(axis=1)
        gain[picked] = -1.0
        picked.append(int(gain.argmax()))
        way = np.minimum(way, inner[picked[-1]])
    return [pool[index] for index in picked]


def z_scored(features: Numbers) -> Numbers:
    """Features (N, F) with a mean of 0 and a standard deviation of 1 over the images, 0 where all are equal."""
    spread = features.std(axis=0)
    scaled: Numbers = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled
