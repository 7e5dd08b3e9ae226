"""Mean and median of the values under a mask, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s3net_monai.utils.mapped_stack import drop_pages

_BLOCK = 16  # slices that are in memory at a time
_OFFSET = 2**15  # of the least number of 16 bits


def mean_and_median(image: np.ndarray, mask: np.ndarray, value: int) -> tuple[float | None, float | None]:
    """Return the mean and the median of an image under a class of a mask; None where there are no values.

    Integers of 16 bits are counted, so that memory holds a few slices only; other values are collected.

    Args:
        image: (X, Y, Z), which may be in a file; values that are not finite are ignored.
        mask: (X, Y, Z) label values.
        value: of the class.
    """
    if image.dtype != np.int16:
        values = np.concatenate([np.zeros(0, image.dtype), *_values(image, mask, value)])
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        return (float(values.mean(dtype=np.float64)), float(np.median(values))) if values.size else (None, None)
    counts = np.zeros(2 * _OFFSET, dtype=np.int64)
    for values in _values(image, mask, value):
        counts += np.bincount(values.astype(np.int32) + _OFFSET, minlength=2 * _OFFSET)
    total = int(counts.sum())
    if not total:
        return None, None
    levels = np.arange(2 * _OFFSET) - _OFFSET
    # of an even number of values, the median is the mean of the two in the middle
    middle = np.searchsorted(np.cumsum(counts), [(total - 1) // 2, total // 2], side="right")
    return int(counts @ levels) / total, float(levels[middle].mean())


def _values(image: np.ndarray, mask: np.ndarray, value: int) -> Iterator[np.ndarray]:
    # Volumes are stored slice by slice; indexing across that order would be many times slower.
    for start in range(0, mask.shape[2], _BLOCK):
        block = (..., slice(start, start + _BLOCK))
        yield image[block].T[value == mask[block].T]
        drop_pages(image[block])
