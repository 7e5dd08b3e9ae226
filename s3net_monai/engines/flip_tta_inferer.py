"""Inference over flips and quarter turns: their mean is the answer, their agreement the consistency score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor


class FlipTTAInferer(Inferer):
    """Mean of a network's probabilities, or logits, over transformed copies of the image, each mapped back.

    Args:
        flips: for each copy the spatial axes to flip; the first should be empty, the image itself.
        quarter_turns: each copy is also turned by these numbers of quarter turns in the plane of the first two spatial
            axes. With all four turns of the image and of its mirror image, the default, the mean is equivariant to
            every flip and quarter turn in that plane.
        base: the inferer that runs the network on one copy.
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
        """Probabilities (B, C, X, Y[, Z]) of every copy of the inputs, mapped back, the untransformed one first."""
        for turns in self.quarter_turns:
            for axes in self.flips:
                dims = [2 + axis for axis in axes]
                copy = torch.rot90(inputs, turns, (2, 3)).flip(dims)
                yield torch.rot90(self.base(copy, network, *args, **kwargs).flip(dims), -turns, (2, 3))

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Mean probabilities (B, C, X, Y[, Z])."""
        views = self.views(inputs, network, *args, **kwargs)
        total = next(views).clone()
        for view in views:
            total += view
        return total / (len(self.flips) * len(self.quarter_turns))
