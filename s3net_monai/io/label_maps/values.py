"""From the values that a file stores to label values: one rule for 0 and 255, 1 bit, 16 bits and gray edges."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from s3net_monai.utils.errors import CaseError

MAX_VALUES = 64  # different label values of one file
MIN_INTENSITY = 128  # a single value from here on is a level of gray, not the number of a class
INTEGER_TOLERANCE = 1e-3  # of values that were scaled by a slope
MAX_EDGES = 0.25  # share of a 2-D image that edges may take
MIN_FLAT = 16  # voxels of an intermediate level without any slope that make it a class and no edge
_LISTED = 6


def to_label_values(stored: np.ndarray, name: str, *, binary: bool | None = None, lossy: bool = False) -> np.ndarray:
    """Return the label values of a file as int32; background is 0.

    One value beside 0 is the foreground, 1, where it cannot be the number of a class: 255, 254, 65535, 0.4, -1. A
    binary label is the foreground whatever its value. Several values up to a level of gray without any flat area
    between them are the soft edges of a foreground, and are cut at half of it; so are fractions from 0 to 1. The label
    of several classes holds their numbers and nothing else.

    Args:
        stored: values of a file, of any type of numbers.
        name: of the file, for messages.
        binary: whether the label has only one class; None where nobody knows.
        lossy: whether the file's compression changes values, as JPEG does.

    Raises:
        CaseError: for values that are not finite, fractions of several classes, an image, and several classes in JPEG.

    Example:
        >>> to_label_values(np.array([[0, 255, 255]]), "a.png").tolist()
        [[0, 1, 1]]
        >>> to_label_values(np.array([[0, 2, 2]]), "a.png").tolist()
        [[0, 2, 2]]
    """
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise CaseError(f"{name}: values that are not finite found, label values expected; save the label again")
    tolerance = INTEGER_TOLERANCE if stored.dtype.kind == "f" else 0
    values = np.unique(stored)
    nonzero = values[(values > tolerance) | (values < -tolerance)]
    if len(nonzero) == 0:
        return np.zeros(stored.shape, np.int32)
    low, high = float(nonzero[0]), float(nonzero[-1])
    if binary is not False:
        if high - low <= INTEGER_TOLERANCE and (binary or not 0 < low < MIN_INTENSITY or not _is_whole(nonzero)):
            return ((stored > tolerance) | (stored < -tolerance)).astype(np.int32)
        if low >= 0 and (high <= 1 + INTEGER_TOLERANCE or _has_soft_edges(stored, high, lossy=lossy)):
            return (stored >= high / 2).astype(np.int32) if high > 1 else (stored >= 0.5).astype(np.int32)
    if lossy and (low, high) != (1, 1):
        raise CaseError(
            f"{name}: JPEG with values up to {high:g} found, which its compression has mixed; save the label as PNG"
        )
    if len(values) > MAX_VALUES:
        raise CaseError(f"{name}: {len(values)} different values, so an image, not a mask; check the folder")
    if not _is_whole(nonzero):
        raise CaseError(
            f"{name}: the values {listed(values)} found, whole numbers expected; resample labels to the nearest value"
        )
    return np.rint(stored).astype(np.int32)


def listed(values: np.ndarray) -> str:
    """Return the first values of an array for a message."""
    text = ", ".join(f"{value:g}" for value in values[:_LISTED])
    return text + (" and more" if len(values) > _LISTED else "")


def _is_whole(values: np.ndarray) -> bool:
    return bool((np.abs(values - np.rint(values)) <= INTEGER_TOLERANCE).all())


def _has_soft_edges(stored: np.ndarray, high: float, *, lossy: bool) -> bool:
    """Whether all values between the background and ``high`` are slopes, and none is a class.

    A class has flat areas. The ends of the scale count as background and foreground, since compression changes them a
    little; it does so at both ends, whereas classes beside a value for "ignore" are at the lower one alone.
    """
    if not lossy and high < MIN_INTENSITY:
        return False
    values = stored.astype(np.float32)
    between = (values > 0.2 * high) & (values < 0.8 * high)
    if between.mean() > MAX_EDGES:
        return False
    size = [3 if count > 1 else 1 for count in values.shape]
    spread = ndimage.maximum_filter(values, size) - ndimage.minimum_filter(values, size)
    if (between & (spread <= 0.05 * high)).sum() >= MIN_FLAT:
        return False
    if lossy or ((values >= 0.8 * high) & (values < high)).any():
        return True
    return int(((values > 0) & (values <= 0.2 * high) & (spread == 0)).sum()) < MIN_FLAT
