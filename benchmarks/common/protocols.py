"""The three ways to score one partition, from honest to what this family of methods publishes.

*Label-free*: no ground truth chooses, clips or tunes anything. *Oracle cluster*: the truth picks the cluster.
*Published protocol*: the truth picks the cluster and clips it to the truth's own dilated outline, as the code released
with S3-Net (arXiv 2309.00143) does. The last two are upper bounds that no user can reach; they are kept apart by name.
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
    """The mask that the method gives by itself; the truth is not looked at."""
    return partition.mask


def oracle_cluster(partition: Partition, truth: Mask) -> Mask:
    """The single cluster of highest Dice with the truth; of two clusters either is tried, whatever a method names it.

    Args:
        partition: its ``clusters`` are taken as they are, without the method's clean-up.
        truth: bool, of the shape of the clusters.
    """
    return _best_cluster(partition.clusters, np.ones_like(truth), truth)


def published(partition: Partition, truth: Mask) -> Mask:
    """The cluster of highest Dice after all clusters are clipped to the truth, twice dilated by a 5x5 square.

    The authors' code never picks cluster 0, whose number is arbitrary; here every cluster may be picked, which can only
    raise the score.

    Args:
        partition: its ``clusters`` are taken as they are, without the method's clean-up.
        truth: bool (X, Y), or (X, Y, Z), then dilated in each axial slice.
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
