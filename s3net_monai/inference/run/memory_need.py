"""Refusal of cases that need more memory than the machine has, from their headers, before anything is read."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from s3net_monai.io import CaseError

BASE_BYTES = 600e6  # of a process that has loaded the libraries and a network
# Measured for one case from reading to writing, rounded up: 13 bytes a voxel where one class is mapped back to the
# source's grid, 37 for four classes. A 2-D image of 8-bit colors takes less.
BYTES_PER_CHANNEL = 8
# Limits of a container, version 2 and version 1 of control groups; "max" and numbers beyond all memory mean none.
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def check_memory(name: str, shape: Sequence[int], num_labels: int) -> None:
    """Refuse an image that this machine cannot hold: the system would kill the run in the midst of it.

    Args:
        name: of the file, for the message.
        shape: (X, Y[, Z]).
        num_labels: classes of the mask without background.

    Raises:
        CaseError: if it needs more than the memory of the machine or of its container.
    """
    need, limit = needed_bytes(shape, num_labels), machine_bytes()
    if limit is None or need <= limit:
        return
    sizes, unit = "x".join(str(size) for size in shape), "voxels" if len(shape) > 2 else "pixels"
    raise CaseError(
        f"{name}: {sizes} {unit} need about {need / 1e9:.1f} GB of memory, this machine (or container) has "
        f"{limit / 1e9:.1f} GB; crop or resample it, or use a machine with more"
    )


def needed_bytes(shape: Sequence[int], num_labels: int) -> float:
    """Return about how much memory one case takes at most, by the shape (X, Y[, Z]) of its image."""
    mapped_back = 1 if num_labels == 1 else num_labels + 1  # background takes part in an argmax
    return BASE_BYTES + math.prod(shape) * BYTES_PER_CHANNEL * (1 + mapped_back)


def machine_bytes() -> float | None:
    """Return the memory of this machine, or what its container may use of it; None where the system does not say."""
    try:
        limits = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    for file in CGROUP_LIMITS:
        try:
            limits.append(float(file.read_text(encoding="ascii").replace("max", "inf")))
        except (OSError, ValueError):
            continue
    return min(limits)
