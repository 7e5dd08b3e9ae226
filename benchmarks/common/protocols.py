"""Three protocols to score one partition, from label-free to the published one.

*Label-free*: no ground truth chooses, clips or tunes anything. *Oracle cluster*: the truth picks the cluster.
*Published protocol*: the truth picks the cluster and clips it to the truth's own dilated outline, as the code released
with S3-Net (arXiv 2309.00143) does. The last two are upper bounds that no user can reach, and are always named.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.common.types import Partition

Mask = NDArray[np.bool_]
Protocol = Callable[[Partition, Mask], Mask]


def label_free(partition: Partition, truth: Mask) -> Mask:
    """Return the method's own mask; the truth is ignored."""
    return partition.mask


def oracle_cluster(partition: Partition, truth: Mask) -> Mask:
    """Return the single cluster with the highest Dice, whatever class it was assigned to.

    Args:
        partition: its ``clusters`` are used without the method's postprocessing.
        truth: bool, of the shape of the clusters.
    """
    return _best_cluster(partition.clusters, np.ones_like(truth), truth)


def published(partition: Partition, truth: Mask) -> Mask:
    """Return the cluster with the highest Dice after clipping to the dilated truth.

    The truth is dilated twice by a 5x5 square.

    The authors' code never picks cluster 0, whose number is arbitrary. This function may pick every cluster, which can
    only raise the score.

    Args:
        partition: its ``clusters`` are used without the method's postprocessing.
        truth: bool (X, Y), or (X, Y, Z), which is dilated in each axial slice.
    """
    square = np.ones((5, 5, 1)[: truth.ndim], dtype=bool)
    return _best_cluster(partition.clusters, ndimage.binary_dilation(truth, square, iterations=2), truth)


def _best_cluster(clusters: NDArray[np.integer], allowed: Mask, truth: Mask) -> Mask:
    values, numbered = np.unique(clusters, return_inverse=True)
    numbered = numbered.reshape(clusters.shape)
    sizes = np.bincount(numbered[allowed], minlength=values.size)
    hits = np.bincount(numbered[allowed & truth], minlength=values.size)
    totals = sizes + int(truth.sum())
    scores = np.divide(2 * hits, totals, out=np.ones(values.size), where=totals > 0)  # both empty agree
    return (numbered == int(np.argmax(scores))) & allowed


PROTOCOLS: dict[str, Protocol] = {
    "label-free": label_free,
    "oracle cluster": oracle_cluster,
    "published protocol": published,
}
