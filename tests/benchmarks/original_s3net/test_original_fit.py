"""The authors' fit: number of steps, repeatability, and the map."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.original_s3net import fit
from benchmarks.original_s3net.fit import fit_original_s3net


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    learning_rates: list[float] = []

    class CountingSGD(torch.optim.SGD):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.settings = kwargs

        def step(self, closure: Any = None) -> None:
            super().step(closure)
            learning_rates.append(self.settings["lr"])

    monkeypatch.setattr(fit.torch.optim, "SGD", CountingSGD)
    return learning_rates


def image() -> torch.Tensor:
    return torch.rand(3, 12, 10, generator=torch.Generator().manual_seed(0))


def test_stops_at_few_clusters_but_not_before_the_sixth_step(steps: list[float]) -> None:
    fit_original_s3net(image(), channels=4, min_clusters=4)
    assert steps == [0.2] * 6


def test_never_takes_more_steps_than_allowed(steps: list[float]) -> None:
    clusters = fit_original_s3net(image(), channels=8, steps=8, min_clusters=0)
    assert len(steps) == 8
    assert clusters.shape == (12, 10)
    assert clusters.min() >= 0
    assert clusters.max() < 8


def test_same_seed_same_map() -> None:
    maps = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        maps.append(fit_original_s3net(image(), channels=8, steps=3))
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])
