"""Test-time augmentation by flips and quarter turns, which need no interpolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor


class FlipTTAInferer(Inferer):
    """Test-time augmentation: mean over flipped and rotated copies of the image.

    The network's output on each copy, probabilities or logits, is mapped back before the mean. The agreement of these
    views is the consistency score.

    Args:
        flips: for each copy the spatial axes to flip; the first should be empty, the image itself.
        quarter_turns: each copy is also rotated by these multiples of 90 degrees in the plane of the first two spatial
            axes. With all four rotations of the image and of its mirror image, the default, the mean is equivariant to
            every flip and quarter turn in that plane.
        base: the inferer that runs the network on one copy.

    Example:
        >>> import torch
        >>> network = torch.nn.Conv2d(1, 2, 3, padding=1)
        >>> image = torch.rand(1, 1, 8, 8)
        >>> inferer = FlipTTAInferer()
        >>> torch.allclose(inferer(image.flip(2), network), inferer(image, network).flip(2), atol=1e-6)
        True
    """

    def __init__(
        self,
        flips: Sequence[Sequence[int]] = ((), (0,)),
        quarter_turns: Sequence[int] = (0, 1, 2, 3),
        base: Inferer | None = None,
    ) -> None:
        super().__init__()
        self.flips, self.quarter_turns = flips, quarter_turns
        self.base = SimpleInferer() if base is None else base

    def views(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Iterator[Tensor]:
        """Yield the output (B, C, X, Y[, Z]) on every copy of the inputs, mapped back.

        The untransformed copy comes first.
        """
        for quarter_turns in self.quarter_turns:
            for axes in self.flips:
                dims = [2 + axis for axis in axes]
                copy = torch.rot90(inputs, quarter_turns, (2, 3)).flip(dims)
                yield torch.rot90(self.base(copy, network, *args, **kwargs).flip(dims), -quarter_turns, (2, 3))

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the mean of the views, (B, C, X, Y[, Z])."""
        views = self.views(inputs, network, *args, **kwargs)
        total = next(views).clone()
        for view in views:
            total += view
        return total / (len(self.flips) * len(self.quarter_turns))
