"""Named steps in place of a list, so that a config addresses a transform by its name and not by its index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from monai.transforms import Compose

Steps: TypeAlias = Mapping[str, "Callable[..., Any] | Steps"]


def compose_steps(steps: Steps) -> Compose:
    """Return the transforms of a mapping as one ``Compose``, in the order of the mapping.

    MONAI's ``ConfigParser`` keeps the order of a mapping and leaves disabled entries out of it, so an overlay changes
    ``train#deterministic_transforms#resize`` or sets its ``_disabled_`` whatever comes before it.

    Args:
        steps: transforms by name; a mapping among them is a group of steps and takes its place in the order.

    Returns:
        A flat ``Compose``: ``CacheDataset`` would take a nested one for a random transform and not cache its result.

    Example:
        >>> image = {"image": {"negate": lambda x: -x, "halve": lambda x: x / 2}}
        >>> compose_steps({**image, "shift": lambda x: x + 1})(4.0)
        -1.0
    """
    return Compose(list(_flat(steps)))


def _flat(steps: Steps) -> Iterator[Callable[..., Any]]:
    for step in steps.values():
        if isinstance(step, Mapping):
            yield from _flat(step)
        else:
            yield step
