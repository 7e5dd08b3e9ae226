"""Selection of the device to compute on."""

from __future__ import annotations

import torch

from s3net_monai.utils.errors import UsageError


def parse_device(name: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` prefers the GPU.

    Raises:
        UsageError: for any other name, or a GPU that does not exist.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdigit()):
        raise UsageError(f"device {name!r} is not known; give auto, cpu, cuda or cuda:N")
    if int(index or 0) >= count:
        raise UsageError(f"device {name!r} is not available ({count} GPUs found); give --device auto or cpu")
    return torch.device("cuda", int(index or 0))
