"""Resampling of the real slices of a series to its regular grid, where some are missing or sheared."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from s3net_monai.io.dicom.geometry import SeriesGeometry

AIR_HU = -1024  # the value outside the reconstruction, as of air
Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]  # of a shape and a data type, as np.empty
OUTSIDE = {"CT": AIR_HU, "MR": 0}  # by modality; MR of air is dark


def empty_stack(
    geometry: SeriesGeometry, dtype: np.dtype, outside: float = AIR_HU, allocate: Allocate = np.empty
) -> np.ndarray:
    """Return an array (slices, rows, columns) for the grid; ``outside`` where slices will not cover all of it.

    The slice axis is slowest in memory, since slices are written whole.
    """
    stack = allocate(geometry.shape[::-1], dtype)
    if not is_upright(geometry):
        stack[...] = outside
    return stack


def is_upright(geometry: SeriesGeometry) -> bool:
    """Return whether every slice covers the grid's columns and rows exactly, as it does without a tilt."""
    return geometry.size == geometry.shape[:2]


def shift_into(target: np.ndarray, values: np.ndarray, corner: np.ndarray, outside: float = AIR_HU) -> None:
    """Resample a slice into a larger slice of the grid, linearly between pixels.

    Args:
        target: (rows, columns) of the grid, which is overwritten.
        values: (rows, columns) of the slice, in HU.
        corner: (column, row) index in ``target`` of the first pixel of ``values``, with fractions.
        outside: value of the voxels that the slice does not cover.
    """
    from scipy.ndimage import shift

    rows, columns = values.shape
    x, y = np.floor(corner + 1e-6).astype(int)
    canvas = np.full(target.shape, outside, dtype=np.float32)
    canvas[y : y + rows, x : x + columns] = values
    shifted = shift(canvas, (corner[1] - y, corner[0] - x), order=1, mode="nearest")
    target[...] = np.rint(shifted) if target.dtype.kind == "i" else shifted


def fill_missing(stack: np.ndarray, present: np.ndarray) -> None:
    """Interpolate the slices of ``stack`` that are not among ``present`` (ascending indices) between neighbors."""
    for before, after in pairwise(present):
        for index in range(before + 1, after):
            fraction = (index - before) / (after - before)
            values = (1.0 - fraction) * stack[before].astype(np.float32) + fraction * stack[after]
            stack[index] = np.rint(values) if stack.dtype.kind == "i" else values
