"""The check that a bundle names every class of its network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle.scripts import _get_fake_spatial_shape

from s3net_monai.tasks import Task
from s3net_monai.utils.errors import CaseError, UsageError


def check_class_count(network: torch.nn.Module, task: Task, metadata: Mapping[str, Any], root: Path) -> None:
    """Refuse a bundle whose network has more or fewer classes than it names.

    The network sees zeros of the smallest size that the metadata allow. One that cannot take them is checked by
    ``check_channels`` when it sees an image.

    Args:
        network: with its weights, in evaluation mode.
        task: as the bundle describes it.
        metadata: content of ``configs/metadata.json``.
        root: folder of the bundle, for the message.

    Raises:
        UsageError: naming both numbers.
    """
    count = output_channels(network, task.channels, metadata)
    if count is not None and count != len(task.labels) + 1:
        raise UsageError(f"{root / 'configs' / 'metadata.json'}: {_problem(count, task)}")


def check_channels(probabilities: torch.Tensor, task: Task) -> None:
    """Refuse probabilities (B, classes, spatial) of more or fewer classes than the task names.

    Raises:
        CaseError: naming both numbers.
    """
    if probabilities.shape[1] != len(task.labels) + 1:
        raise CaseError(f"the bundle's metadata.json: {_problem(int(probabilities.shape[1]), task)}")


def _problem(count: int, task: Task) -> str:
    names = ", ".join(["background", *(label.name for label in task.labels)])
    return (
        f"the network has {count} output channels, channel_def names {len(task.labels) + 1} ({names}); name every "
        "class in channel_def"
    )


@torch.no_grad()
def output_channels(network: torch.nn.Module, channels: int, metadata: Mapping[str, Any]) -> int | None:
    """Return the number of output channels of a network; None where it cannot be asked."""
    shape = metadata["network_data_format"]["inputs"]["image"].get("spatial_shape", ())
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    try:
        sizes = _get_fake_spatial_shape(shape, p=1, n=1)
        output = network(torch.zeros(1, channels, *sizes, device=device)) if sizes else None
    except Exception:  # any network may refuse zeros or this size, and still segment images
        return None
    return int(output.shape[1]) if isinstance(output, torch.Tensor) and output.ndim > 1 else None
