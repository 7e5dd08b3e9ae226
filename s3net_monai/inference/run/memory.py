"""When a device runs out of memory: the same inferer in smaller windows, then a refusal with advice."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from monai.inferers import SliceInferer, SlidingWindowInferer
from monai.utils import fall_back_tuple

from s3net_monai.io import CaseError

Result = TypeVar("Result")

SHRINKING = (1, 2, 4)  # windows of the same size one by one, then of a half, then of a quarter of it
LEAST_WINDOW = 32  # below it the network sees too little to be worth a mask
CPU_MESSAGES = ("not enough memory", "can't allocate memory")  # torch's allocator on a CPU raises RuntimeError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or this machine, had no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in CPU_MESSAGES)


def with_smaller_windows(
    run: Callable[[Any], Result], inferer: Any, spatial_shape: tuple[int, ...], device: torch.device
) -> tuple[Result, str | None]:
    """``run(inferer)``; where memory runs out, again with ever smaller windows.

    Args:
        run: infers one image with the inferer that it is given.
        inferer: the bundle's own.
        spatial_shape: of the image, for windows that span a whole axis.
        device: for the message.

    Returns:
        What ``run`` returns, and a warning if smaller windows were needed: normalization over a window then sees
        less of the image, so the mask can differ.

    Raises:
        CaseError: with advice when nothing smaller is left to try.
    """
    warning = None
    for attempt, window in _attempts(inferer, spatial_shape):
        if window is not None:
            warning = f"inferred in windows of {window} for lack of memory, so the mask may differ; look at it"
        result = _unless_out_of_memory(run, attempt)
        if result is not None:
            return result[0], warning
        # Only here, outside the handler, are the frames that held the tensors gone.
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    tried = ", in smaller windows too" if warning else ""
    raise CaseError(
        f"not enough memory on {device}{tried}; close other programs, use --device cpu or give fewer voxels a case"
    )


def _unless_out_of_memory(run: Callable[[Any], Result], inferer: Any) -> tuple[Result] | None:
    try:
        return (run(inferer),)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _attempts(inferer: Any, spatial_shape: tuple[int, ...]) -> Iterator[tuple[Any, str | None]]:
    yield inferer, None
    last = None
    for divisor in SHRINKING:
        smaller = _shrunk(inferer, spatial_shape, divisor)
        if smaller is not None and smaller[1] != last:
            last = smaller[1]
            yield smaller[0], None if divisor == 1 else last


def _shrunk(inferer: Any, spatial_shape: tuple[int, ...], divisor: int) -> tuple[Any, str] | None:
    """A copy with smaller windows, stitched in main memory; None for an inferer that has no windows."""
    if isinstance(inferer, SlidingWindowInferer):
        smaller = copy.copy(inferer)
        smaller.sw_batch_size, smaller.device = 1, torch.device("cpu")
        sizes, roi_size = list(spatial_shape), inferer.roi_size
        if isinstance(inferer, SliceInferer):  # windows within a plane; every call sets its roi_size from these
            del sizes[inferer.spatial_dim]
            roi_size = inferer.orig_roi_size
        full = [min(pair) for pair in zip(sizes, fall_back_tuple(roi_size, sizes), strict=True)]
        window = [min(size, max(LEAST_WINDOW, size // divisor)) for size in full]
        smaller.roi_size = window
        if isinstance(smaller, SliceInferer):
            smaller.orig_roi_size = tuple(window)
        return smaller, "x".join(str(size) for size in window)
    base = getattr(inferer, "base", None)
    shrunk = None if base is None else _shrunk(base, spatial_shape, divisor)
    if shrunk is None:
        return None
    outer = copy.copy(inferer)
    outer.base = shrunk[0]
    return outer, shrunk[1]
