"""Ramp-up of a term that is wrong at first."""

from __future__ import annotations

import torch
from torch import Tensor


def sigmoid_ramp_up(step: Tensor, length: int) -> Tensor:
    """Weight ``exp(-5 (1 - step / length)**2)``, from 0.0067 at step 0 to 1 at ``length`` and after; 1 when that is 0.

    The "sigmoid-shaped" ramp-up of Laine and Aila, arXiv 1610.02242, section 3.
    """
    if length == 0:
        return torch.ones_like(step, dtype=torch.float32)
    rest = 1 - (step.float() / length).clamp_max(1)
    return torch.exp(-5 * rest**2)
