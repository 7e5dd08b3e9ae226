"""The range of an image's values without the few that lie far outside all others."""

from __future__ import annotations

import numpy as np

_PERCENTILES = (1, 99)
_FAR = 3.0  # distances between the two percentiles beyond which a value does not belong to the image


def robust_range(values: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest value that belong to an image.

    They are its minimum and maximum, unless some values lie more than three times the distance between the 1st and the
    99th percentile outside these, as hot and dead pixels of a detector do. Those are left out: scaled by them, the
    image itself would keep a few gray levels.

    Args:
        values: finite values, of any shape.

    Example:
        >>> import numpy as np
        >>> image = np.arange(1000.0)
        >>> image[:3] = 65535
        >>> robust_range(image)
        (3.0, 999.0)
    """
    low, high = float(values.min()), float(values.max())
    first, last = (float(value) for value in np.percentile(values, _PERCENTILES))
    far = _FAR * (last - first)
    if far == 0:  # nearly all have one value, so nothing says how far is too far
        return low, high
    if high > last + far:
        high = float(values[values <= last + far].max())
    if low < first - far:
        low = float(values[values >= first - far].min())
    return low, high
