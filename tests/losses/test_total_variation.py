"""Edge-aware total variation: values by hand, a loop, and cheaper borders on edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from s3net_monai.losses import EdgeAwareTotalVariationLoss


def step(position: int, length: int = 4) -> Tensor:
    """Certain logits (1, 2, length, 1) whose cluster changes before ``position``."""
    first = torch.arange(length) < position
    return 80 * torch.stack([first, ~first]).float().reshape(1, 2, length, 1)


def ramp(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("sigma", "image", "expected"),
    [
        (0.1, ramp(0, 0, 0, 0), 2 / 3),  # two clusters change by 1 at one of three neighborhoods
        (0.1, ramp(0, 0, 0.1, 0.1), 2 / 3 * math.exp(-1)),
        (0.1, ramp(0, 0, -0.2, -0.2), 2 / 3 * math.exp(-2)),
        (0.2, ramp(0, 0, 0.1, 0.1), 2 / 3 * math.exp(-0.5)),
        (0.1, ramp(0, 0.5, 0.5, 0), 2 / 3),  # edges elsewhere do not lower the cost
        (0.1, torch.cat([ramp(0, 0, 0.2, 0.2), ramp(1, 1, 1, 1)], dim=1), 2 / 3 * math.exp(-1)),  # mean of channels
    ],
)
def test_expected_values(sigma: float, image: Tensor, expected: float) -> None:
    assert EdgeAwareTotalVariationLoss(sigma)(step(2), image).item() == pytest.approx(expected, rel=1e-5)


def test_flat_maps_cost_nothing() -> None:
    assert EdgeAwareTotalVariationLoss()(torch.ones(1, 3, 5, 4), torch.rand(1, 1, 5, 4)).item() == 0


@pytest.mark.parametrize("size", [(4, 5), (1, 6), (3, 4, 2), (4, 3, 1)])
@pytest.mark.parametrize("sigma", [0.05, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_equals_the_loop(size: tuple[int, ...], sigma: float, channels: int) -> None:
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    image = torch.rand(2, channels, *size, generator=generator, dtype=torch.float64)
    maps, pixels = torch.softmax(logits, 1).numpy(), image.numpy()
    expected = 0.0
    for axis in range(len(size)):
        terms = []
        for b in range(2):
            for voxel in np.ndindex(*size):
                neighbor = list(voxel)
                neighbor[axis] += 1
                if neighbor[axis] < size[axis]:
                    index, next_index = (b, slice(None), *voxel), (b, slice(None), *neighbor)
                    price = math.exp(-np.abs(pixels[next_index] - pixels[index]).mean() / sigma)
                    terms.append(np.abs(maps[next_index] - maps[index]).sum() * price)
        expected += np.mean(terms) if terms else 0.0
    assert EdgeAwareTotalVariationLoss(sigma)(logits, image).item() == pytest.approx(expected, rel=1e-6)


def test_a_border_is_cheapest_at_the_edge() -> None:
    image = ramp(0, 0, 0, 1, 1, 1)
    losses = [EdgeAwareTotalVariationLoss()(step(position, 6), image).item() for position in range(1, 6)]
    assert min(range(5), key=losses.__getitem__) == 2


@pytest.mark.parametrize("shape", [(1, 2, 3, 4), (1, 2, 2, 3, 2)])
def test_has_a_gradient_at_every_voxel(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
    image = torch.rand(1, 1, *shape[2:], generator=generator, dtype=torch.float64)
    loss = EdgeAwareTotalVariationLoss()
    loss(logits, image).backward()
    assert (logits.grad.abs().sum(1) > 0).all()
    assert torch.autograd.gradcheck(lambda x: loss(x, image), logits)


@pytest.mark.parametrize("sigma", [0.0, -0.1])
def test_sigma_must_be_positive(sigma: float) -> None:
    with pytest.raises(ValueError, match=f"sigma is {sigma}, expected a positive number"):
        EdgeAwareTotalVariationLoss(sigma)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"logits \(1, 2, 4, 5\) and image \(1, 3, 5, 4\) differ"):
        EdgeAwareTotalVariationLoss()(torch.zeros(1, 2, 4, 5), torch.zeros(1, 3, 5, 4))
