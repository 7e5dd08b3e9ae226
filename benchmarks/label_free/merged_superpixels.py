"""Super-pixels of an image, merged with their neighbors until few regions are left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage import segmentation
from sklearn.cluster import AgglomerativeClustering

Labels = NDArray[np.integer]


def merged_superpixels(features: NDArray[np.floating], count: int, *, regions: int, compactness: float) -> Labels:
    """Compute SLIC super-pixels and merge adjacent ones by Ward's criterion.

    The criterion compares mean features.

    Args:
        features: (C, X, Y[, Z]), with the same scale for all channels.
        count: approximate number of super-pixels to start from.
        regions: number of remaining regions, unless there are fewer super-pixels.
        compactness: SLIC's weight of distance against features, which SLIC scales to [0, 1] first.

    Returns:
        The number of the connected region of every pixel, (X, Y[, Z]), counted from 0.
    """
    labels = segmentation.slic(features, count, compactness, channel_axis=0, start_label=0, convert2lab=False)
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(features.shape[1:])
    size = int(labels.max()) + 1
    if size <= regions:
        return labels
    means = np.stack([ndimage.mean(channel, labels, np.arange(size)) for channel in features], axis=1)
    merging = AgglomerativeClustering(n_clusters=regions, connectivity=adjacency(labels), linkage="ward")
    return merging.fit_predict(means)[labels]


def adjacency(labels: Labels) -> sparse.csr_matrix:
    """Return a symmetric matrix with 1 for regions that share a face.

    ``labels`` (X, Y[, Z]) count from 0.
    """
    size = int(labels.max()) + 1
    matrix = sparse.csr_matrix((size, size), dtype=np.int8)
    for axis in range(labels.ndim):
        first, second = np.delete(labels, -1, axis).ravel(), np.delete(labels, 0, axis).ravel()
        is_border = first != second
        pairs = np.unique(np.stack([first[is_border], second[is_border]]), axis=1)
        matrix = matrix.maximum(sparse.csr_matrix((np.ones(pairs.shape[1], dtype=np.int8), pairs), (size, size)))
    return matrix.maximum(matrix.T)
