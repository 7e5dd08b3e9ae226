"""How many threads the network has beside the processes that read ahead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def network_threads(*, dimensions: int, mode: str, num_readers: int) -> Iterator[None]:
    """Leave a processor core to each process that reads pictures, while the block runs.

    Pictures are small: threads of the network that wait for a core which a reader has take more time than they save.
    Volumes and fits keep all threads.

    Args:
        dimensions: 2 for pictures, 3 for volumes.
        mode: "amortized" or "per-image", as for ``load_bundle``.
        num_readers: processes that read while the network runs.
    """
    before = torch.get_num_threads()
    if dimensions == 2 and mode == "amortized":
        torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) - num_readers)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
