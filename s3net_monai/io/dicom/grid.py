"""From the real slices of a series to its volume on the regular grid, where some are absent or sheared."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from s3net_monai.io.dicom.geometry import SeriesGeometry

AIR_HU = -1024  # what lies outside the reconstruction reads as air


def empty_stack(geometry: SeriesGeometry, dtype: np.dtype) -> np.ndarray:
    """(slices, rows, columns) of the grid. The slice axis is slowest in memory, since slices are written whole."""
    shape = geometry.shape[::-1]
    return np.empty(shape, dtype=dtype) if is_upright(geometry) else np.full(shape, AIR_HU, dtype=dtype)


def is_upright(geometry: SeriesGeometry) -> bool:
    """Whether every slice covers the grid's columns and rows exactly, as it does without a tilt."""
    return geometry.size == geometry.shape[:2]


def shift_into(target: np.ndarray, values: np.ndarray, corner: np.ndarray) -> None:
    """Lay a slice (rows, columns) in HU on a larger grid slice at ``corner`` (column, row), linearly between pixels."""
    from scipy.ndimage import shift

    rows, columns = values.shape
    x, y = np.floor(corner + 1e-6).astype(int)
    canvas = np.full(target.shape, AIR_HU, dtype=np.float32)
    canvas[y : y + rows, x : x + columns] = values
    moved = shift(canvas, (corner[1] - y, corner[0] - x), order=1, mode="nearest")
    target[...] = np.rint(moved) if target.dtype.kind == "i" else moved


def fill_absent(stack: np.ndarray, present: np.ndarray) -> None:
    """Fill the slices of ``stack`` that are not among ``present`` (ascending indices) between their neighbors."""
    for before, after in pairwise(present):
        for index in range(before + 1, after):
            share = (index - before) / (after - before)
            values = (1.0 - share) * stack[before].astype(np.float32) + share * stack[after]
            stack[index] = np.rint(values) if stack.dtype.kind == "i" else values
