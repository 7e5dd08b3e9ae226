"""Handling of a device that runs out of memory: smaller windows first, then a refusal with advice."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from monai.inferers import SliceInferer, SlidingWindowInferer
from monai.utils import fall_back_tuple

from s3net_monai.io import CaseError
from s3net_monai.utils.reasons import is_out_of_memory

Result = TypeVar("Result")

DIVISORS = (1, 2, 4)  # windows of full size one by one, then of half, then of a quarter of the size
MIN_WINDOW = 32  # in a smaller window the network sees too little for a useful mask


def with_smaller_windows(
    run: Callable[[Any], Result], inferer: Any, *, spatial_shape: tuple[int, ...], device: torch.device
) -> tuple[Result, str | None]:
    """Call ``run(inferer)``, and where memory runs out, repeat it with smaller and smaller windows.

    Args:
        run: infers one image with the inferer that it gets.
        inferer: the bundle's inferer.
        spatial_shape: shape of the image, for windows that span a whole axis.
        device: for the message.

    Returns:
        The result of ``run``, and a warning if smaller windows were needed: normalization over a window then sees less
        of the image, so the mask can differ.

    Raises:
        CaseError: with advice when no smaller window is left to try.
    """
    warning = None
    for attempt, window in _attempts(inferer, spatial_shape):
        if window is not None:
            warning = f"inferred in windows of {window} for lack of memory, so the mask may differ; review it"
        result = _unless_out_of_memory(run, attempt)
        if result is not None:
            return result[0], warning
        # Outside the exception handler, so that the frames that held the tensors are gone.
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    also_smaller = ", in smaller windows too" if warning else ""
    remedy = "close other programs, use --device cpu or give fewer voxels per case"
    raise CaseError(f"not enough memory on {device}{also_smaller}; {remedy}")


def _unless_out_of_memory(run: Callable[[Any], Result], inferer: Any) -> tuple[Result] | None:
    try:
        return (run(inferer),)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _attempts(inferer: Any, spatial_shape: tuple[int, ...]) -> Iterator[tuple[Any, str | None]]:
    """Yield inferers to try in order, each with the size of its windows where it differs from the bundle's."""
    yield inferer, None
    previous_window = None
    for divisor in DIVISORS:
        smaller = _with_window_divided(inferer, spatial_shape, divisor)
        if smaller is not None and smaller[1] != previous_window:
            previous_window = smaller[1]
            yield smaller[0], None if divisor == 1 else previous_window


def _with_window_divided(inferer: Any, spatial_shape: tuple[int, ...], divisor: int) -> tuple[Any, str] | None:
    """Return a copy with smaller windows, stitched in main memory, and the window size as text.

    None for an inferer that has no windows.
    """
    if isinstance(inferer, SlidingWindowInferer):
        smaller = copy.copy(inferer)
        smaller.sw_batch_size, smaller.device = 1, torch.device("cpu")
        sizes, roi_size = list(spatial_shape), inferer.roi_size
        if isinstance(inferer, SliceInferer):  # windows within a plane; every call sets its roi_size from these
            del sizes[inferer.spatial_dim]
            roi_size = inferer.orig_roi_size
        full = [min(pair) for pair in zip(sizes, fall_back_tuple(roi_size, sizes), strict=True)]
        window = [min(size, max(MIN_WINDOW, size // divisor)) for size in full]
        smaller.roi_size = window
        if isinstance(smaller, SliceInferer):
            smaller.orig_roi_size = tuple(window)
        return smaller, "x".join(str(size) for size in window)
    base = getattr(inferer, "base", None)
    smaller_base = None if base is None else _with_window_divided(base, spatial_shape, divisor)
    if smaller_base is None:
        return None
    outer = copy.copy(inferer)
    outer.base = smaller_base[0]
    return outer, smaller_base[1]
