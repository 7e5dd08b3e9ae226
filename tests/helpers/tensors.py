"""Reproducible tensors, sampling grids, and the check of a gradient by finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers with a standard deviation of 2."""
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def identity_grid(batch: int, *size: int) -> Tensor:
    """Normalized sampling grid (B, X, Y[, Z], D) of the identity."""
    dims = len(size)
    return F.affine_grid(torch.eye(dims, dims + 1).repeat(batch, 1, 1), [batch, 1, *size], align_corners=False)


def affine_grid(batch: int, *size: int, spread: float = 0.4, seed: int = 5) -> Tensor:
    """Normalized sampling grid (B, X, Y[, Z], D) of random affine transformations around the identity."""
    generator, dims = torch.Generator().manual_seed(seed), len(size)
    theta = torch.eye(dims, dims + 1) + spread * torch.randn(batch, dims, dims + 1, generator=generator)
    return F.affine_grid(theta, [batch, 1, *size], align_corners=False)


def check_gradient(value: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Compare the gradient of every input with the central difference along a random direction, within 2 %."""
    inputs = tuple(tensor.detach().requires_grad_() for tensor in inputs)
    value(*inputs).backward()
    for index, tensor in enumerate(inputs):
        direction = 0.01 * draw(*tensor.shape, seed=7)
        steps = [direction if position == index else 0.0 for position in range(len(inputs))]
        with torch.no_grad():
            forward = value(*(other + step for other, step in zip(inputs, steps, strict=True)))
            backward = value(*(other - step for other, step in zip(inputs, steps, strict=True)))
        assert tensor.grad is not None
        slope = (tensor.grad * direction).sum().item()
        assert slope == pytest.approx((forward - backward).item() / 2, rel=0.02)


def parameters_without_gradient(module: nn.Module) -> list[str]:
    """Names of the parameters whose gradient is zero everywhere, after a backward pass."""
    return [name for name, parameter in module.named_parameters() if not parameter.grad.abs().sum() > 0]
