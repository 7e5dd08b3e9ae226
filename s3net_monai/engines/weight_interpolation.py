"""Interpolation of initial and fine-tuned weights (WiSE-FT).

With it fine-tuning on few labels does not erase what the network had learned before.
"""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn


class WeightInterpolationHandler:
    """An Ignite handler that averages every parameter's values before and after a training.

    Fine-tuned weights lie in the same basin of the loss as those from which they started, and between the two a network
    has most of what it learned and loses little of what it knew (WiSE-FT, arXiv 2109.01903).

    Attach it before the handler that saves the final weights. The network must have its initial weights when the
    training starts.

    Args:
        network: whose parameters are averaged, in place.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> network = torch.nn.Linear(1, 1)
        >>> _ = torch.nn.init.constant_(network.weight, 2.0)
        >>> trainer = Engine(lambda engine, batch: torch.nn.init.constant_(network.weight, 6.0))
        >>> WeightInterpolationHandler(network).attach(trainer)
        >>> _ = trainer.run([0])
        >>> network.weight.item()
        4.0
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.initial: dict[str, Tensor] = {}

    def attach(self, engine: Engine) -> None:
        """Listen to the start and the end of a trainer."""
        engine.add_event_handler(Events.STARTED, self._store)
        engine.add_event_handler(Events.COMPLETED, self._average)

    def _store(self) -> None:
        self.initial = {name: value.detach().clone() for name, value in self.network.named_parameters()}

    @torch.no_grad()
    def _average(self) -> None:
        for name, value in self.network.named_parameters():
            value.lerp_(self.initial[name], 0.5)
