"""The end of a training whose loss is not finite."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer

from s3net_monai.utils.errors import TrainingError


def trainer(network: torch.nn.Module, images: list[float]) -> SupervisedTrainer:
    handler = ConfigParser({"stop": {"_target_": "s3net_monai.engines.StopOnNonFinite"}}).get_parsed_content("stop")
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=[{"image": torch.full((1, 1), value), "label": torch.zeros(1, 1)} for value in images],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.L1Loss(),
        train_handlers=[handler],
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_iteration_is_named_and_its_gradients_never_reach_the_weights(value: float) -> None:
    network = torch.nn.Linear(1, 1)
    with pytest.raises(TrainingError, match=r"^iteration 3 \(epoch 1\): the loss is (nan|inf)"):
        trainer(network, [1.0, 2.0, value, 1.0]).run()
    assert all(parameter.isfinite().all() for parameter in network.parameters())


def test_a_finite_loss_goes_on() -> None:
    run: Any = trainer(torch.nn.Linear(1, 1), [1.0, 2.0])
    run.run()
    assert run.state.iteration == 4
