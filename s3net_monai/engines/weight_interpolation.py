"""A fine-tuning that goes half the way, so that few labels do not make a network forget what many had taught it."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn


class WeightInterpolationHandler:
    """An Ignite handler: at the end of a training every parameter becomes the mean of its first and its last value.

    Fine-tuned weights lie in the same valley of the loss as those they began with, and between the two a network has
    most of what it learned and loses little of what it knew (WiSE-FT, arXiv 2109.01903).

    Attach it before the handler that saves the final weights. The network must have its first weights by then.

    Args:
        network: whose parameters are averaged, in place.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.first: dict[str, Tensor] = {}

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self._keep)
        engine.add_event_handler(Events.COMPLETED, self._average)

    def _keep(self) -> None:
        self.first = {name: value.detach().clone() for name, value in self.network.named_parameters()}

    @torch.no_grad()
    def _average(self) -> None:
        for name, value in self.network.named_parameters():
            value.lerp_(self.first[name], 0.5)
