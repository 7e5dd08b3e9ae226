"""Tests of weights halfway between the start and the end of a training."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine
from monai.handlers import CheckpointSaver

from s3net_monai.engines.weight_interpolation import WeightInterpolationHandler


def test_saved_weights_are_halfway(tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 2.0)

    @torch.no_grad()
    def step(engine: Engine, batch: int) -> None:
        network.weight += 1.0

    engine = Engine(step)
    WeightInterpolationHandler(network).attach(engine)
    CheckpointSaver(str(tmp_path), {"model": network}, save_final=True, final_filename="model.pt").attach(engine)
    engine.run([0, 1, 2, 3])
    assert network.weight.item() == 4.0  # between 2 and 6
    assert torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item() == 4.0
    engine.run([0, 1])
    assert network.weight.item() == 5.0  # a second training begins where the first one ended
