"""Named steps in place of a list, so that a config addresses a transform by its name and not by its index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from monai.transforms import Compose

from s3net_monai.utils.errors import CaseError, DataError
from s3net_monai.utils.messages import causes

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
    return NamedSteps(list(_flat(steps)))


class NamedSteps(Compose):
    """MONAI's ``Compose``, whose errors end in the one line that a step has for the user.

    MONAI raises the error of a step as a ``RuntimeError`` that names only the transform.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the steps as ``Compose`` does.

        Raises:
            CaseError: of a step, without MONAI's error around it; ``DataError`` likewise.
        """
        try:
            return super().__call__(*arguments, **options)
        except RuntimeError as error:
            for link in causes(error):
                if isinstance(link, CaseError | DataError):
                    raise link from None
            raise


def _flat(steps: Steps) -> Iterator[Callable[..., Any]]:
    for step in steps.values():
        if isinstance(step, Mapping):
            yield from _flat(step)
        else:
            yield step
