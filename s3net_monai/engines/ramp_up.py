"""Ramp-up of the weight of pseudo-labels, which are mostly wrong in the first iterations."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events

from s3net_monai.losses.bidirectional import BidirectionalLoss


def sigmoid_ramp_up(step: int, length: int) -> float:
    """Return the weight ``exp(-5 (1 - step / length)**2)``.

    It rises from 0.0067 at step 0 to 1 at step ``length`` and stays there; it is always 1 for a length of 0. This is
    the "sigmoid-shaped" ramp-up of Laine and Aila, arXiv 1610.02242, section 3.

    Example:
        >>> [round(sigmoid_ramp_up(step, length=10), 3) for step in (0, 5, 10, 20)]
        [0.007, 0.287, 1.0, 1.0]
    """
    if length == 0:
        return 1.0
    remaining = 1 - (torch.tensor(step).float() / length).clamp_max(1)
    return torch.exp(-5 * remaining**2).item()


class RampUpHandler:
    """An Ignite handler that ramps up the weight of pseudo-labels over the first iterations.

    It sets ``ramp_up_weight`` of a loss. The weight depends on the iteration of the trainer alone, so a resumed
    training continues the ramp-up.

    Args:
        loss: the loss whose weight is set before every iteration.
        iterations: length of the ramp-up; 0 for none.

    Raises:
        ValueError: when ``iterations`` is negative.

    Example:
        >>> loss = BidirectionalLoss()
        >>> trainer = Engine(lambda engine, batch: print(round(loss.ramp_up_weight, 3)))
        >>> RampUpHandler(loss, iterations=2).attach(trainer)
        >>> _ = trainer.run(range(3))
        0.007
        0.287
        1.0
    """

    def __init__(self, loss: BidirectionalLoss, iterations: int) -> None:
        if iterations < 0:
            raise ValueError(f"iterations is {iterations}, expected at least 0")
        self.loss = loss
        self.iterations = iterations

    def attach(self, engine: Engine) -> None:
        """Set the weight at the start of every iteration of ``engine``."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._set_weight)

    def _set_weight(self, engine: Engine) -> None:
        self.loss.ramp_up_weight = sigmoid_ramp_up(engine.state.iteration - 1, self.iterations)
