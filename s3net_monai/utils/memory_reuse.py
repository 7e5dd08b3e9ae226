"""Memory that stays with the process between the steps of a training."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_KEPT = 1 << 30  # bytes
_NEVER = -1


def keep_freed_memory() -> bool:
    """Have the allocator keep blocks of up to 1 GB that are freed, for the next step to use.

    By default glibc returns them to the system and asks for them again at every step. The system then clears every
    page, which takes much of a training step on a CPU. No limit is set to their sum: a step of a training may free
    more than 1 GB.

    Returns:
        Whether this system has such a setting; elsewhere nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return set_option is not None and bool(
        set_option(_MMAP_THRESHOLD, _LARGEST_KEPT) and set_option(_TRIM_THRESHOLD, _NEVER)
    )
