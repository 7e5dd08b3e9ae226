"""Values that are no number (NaN) or infinite, in the place of which an image gets background."""

from __future__ import annotations

import numpy as np

from s3net_monai.utils.errors import CaseError

MAX_FRACTION_IN_BODY = 0.05
_MAX_SAMPLES = 128  # along an axis, for the estimate of the body


def fill_non_finite(values: np.ndarray, percentile: float) -> tuple[np.ndarray, str]:
    """Replace values that are not finite, in every channel of a pixel that has one.

    Args:
        values: (C, X, Y[, Z]) in floating point.
        percentile: of the finite values of a channel, which takes their place: a low one is air or darkness, 50 the
            skin of a 2-D image.

    Returns:
        The array, and one line about it; the array itself and an empty line where all values are finite.

    Raises:
        CaseError: where no value is finite, or more than a twentieth of the body is not.
    """
    if values.dtype.kind != "f":
        return values, ""
    missing = ~np.isfinite(values).all(axis=0)
    count = int(np.count_nonzero(missing))
    if not count:
        return values, ""
    unit, inside = ("pixels", "object") if values.ndim == 3 else ("voxels", "body")
    fraction = 1.0 if count == missing.size else _fraction_in_body(values, missing)
    if fraction > MAX_FRACTION_IN_BODY:
        raise CaseError(
            f"{fraction:.0%} of the {unit} inside the {inside} are not finite (NaN or infinite), at most "
            f"{MAX_FRACTION_IN_BODY:.0%} expected; export the image again"
        )
    filled = values.copy()
    for channel in filled:
        channel[missing] = np.percentile(channel[~missing], percentile)
    share = 100 * count / missing.size
    return filled, f"non-finite {unit} (NaN or infinite) were read as background: {count} ({share:.2g} %)"


def _fraction_in_body(values: np.ndarray, missing: np.ndarray) -> float:
    """Return the fraction of the body that is missing; the body of a slice is the convex hull of what is bright in it.

    Missing slices count where there are others on both sides.
    """
    from skimage.filters import threshold_otsu
    from skimage.morphology import convex_hull_image

    steps = tuple(slice(None, None, -(-size // _MAX_SAMPLES)) for size in missing.shape)
    gaps = np.atleast_3d(missing[steps])
    gray = np.atleast_3d(np.where(missing[steps], 0, values[(slice(None), *steps)].astype(np.float64).mean(axis=0)))
    known = gray[~gaps]
    if not known.size or known.min() == known.max():
        return float(gaps.mean())
    bright: np.ndarray = ~gaps & (gray > threshold_otsu(known))
    body = np.stack([convex_hull_image(plane) if plane.any() else plane for plane in np.moveaxis(bright, -1, 0)], -1)
    empty = np.asarray(gaps.all(axis=(0, 1)))
    read = np.flatnonzero(~empty)
    empty[: read[0]] = empty[read[-1] :] = False  # padding above and below
    body[..., empty] = np.expand_dims(body.any(axis=-1), -1)
    return float((gaps & body).sum() / max(1, body.sum()))
