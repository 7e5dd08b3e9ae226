"""The momentum copy, by hand and in MONAI's trainer; the queue of features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import Tensor, nn

from s3net_monai.networks import ConvEncoder, FeatureQueue, GlobalDenseProjection, MomentumEncoder


def linear(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


def test_copy_follows_as_computed_by_hand() -> None:
    encoder = MomentumEncoder(linear(1.0), momentum=0.75)
    one = torch.ones(1, 1)
    keys = []
    for weight in (5.0, 5.0, 1.0):
        nn.init.constant_(encoder.network.weight, weight)
        keys.append(encoder(one, one)["key"].item())
    # 0.75 * 1 + 0.25 * 5 = 2, 0.75 * 2 + 0.25 * 5 = 2.75, 0.75 * 2.75 + 0.25 * 1 = 2.3125
    assert keys == [2.0, 2.75, 2.3125]
    assert encoder.network.weight.item() == 1.0


def test_copy_is_not_updated_in_evaluation() -> None:
    encoder = MomentumEncoder(linear(1.0), momentum=0.5).eval()
    nn.init.constant_(encoder.network.weight, 3.0)
    features = encoder(torch.ones(1, 1), torch.full((1, 1), 2.0))
    assert (features["query"].item(), features["key"].item()) == (3.0, 2.0)
    assert encoder.key_network.weight.item() == 1.0


@pytest.mark.parametrize(("momentum", "expected"), [(0.0, 3.0), (1.0, 1.0)])
def test_extreme_momentum(momentum: float, expected: float) -> None:
    encoder = MomentumEncoder(linear(1.0), momentum)
    nn.init.constant_(encoder.network.weight, 3.0)
    assert encoder(torch.ones(1, 1), torch.ones(1, 1))["key"].item() == expected


@pytest.mark.parametrize("momentum", [-0.1, 1.1])
def test_impossible_momentum_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=f"momentum is {momentum}, expected 0 to 1"):
        MomentumEncoder(linear(1.0), momentum)


def test_no_gradient_reaches_the_keys() -> None:
    encoder = MomentumEncoder(GlobalDenseProjection(ConvEncoder(2, 1, (4, 8)), 2, 1, level=0))
    features = encoder(torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8))
    assert not any(feature.requires_grad for feature in features["key"].values())
    sum((features["query"][name] * features["key"][name]).sum() for name in ("global", "dense")).backward()
    assert all(parameter.grad is not None for parameter in encoder.network.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in encoder.key_network.parameters())


def test_state_dict_has_both_networks() -> None:
    encoder, loaded = MomentumEncoder(linear(1.0), 0.5), MomentumEncoder(linear(7.0), 0.5)
    nn.init.constant_(encoder.network.weight, 3.0)
    encoder.update()
    loaded.load_state_dict(encoder.state_dict())
    assert (loaded.network.weight.item(), loaded.key_network.weight.item()) == (3.0, 2.0)


def test_in_the_trainer_of_monai() -> None:
    """The prepare_batch passes the key as a further argument of the network, so MONAI's trainer suffices."""
    encoder = MomentumEncoder(linear(2.0), momentum=0.5)
    keys: list[float] = []

    def views(batch: dict[str, Any], *_: Any, **__: Any) -> tuple[Tensor, Tensor, tuple[Tensor], dict[str, Any]]:
        return batch["image"], batch["image"], (batch["image"],), {}

    def loss(features: dict[str, Tensor], target: Tensor) -> Tensor:
        keys.append(features["key"].item())
        return features["query"].sum()  # gradient 1: every step of SGD with lr 1 lowers the weight by 1

    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=3,
        train_data_loader=[{"image": torch.ones(1, 1)}],
        network=encoder,
        optimizer=torch.optim.SGD(encoder.parameters(), lr=1.0),
        loss_function=loss,
        prepare_batch=views,
        decollate=False,
    ).run()
    # weights before the steps are 2, 1, 0: 0.5 * 2 + 0.5 * 2, 0.5 * 2 + 0.5 * 1, 0.5 * 1.5 + 0.5 * 0
    assert keys == [2.0, 1.5, 0.75]
    assert encoder.network.weight.item() == -1.0


def rows(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None].repeat(1, 2)


def test_queue_stores_the_last_features() -> None:
    queue = FeatureQueue(4, 2)
    assert queue.features.shape == (0, 2)
    queue.push(rows(1, 2, 3))
    assert queue.features[:, 0].tolist() == [1, 2, 3]
    queue.push(rows(4, 5, 6))  # 5 and 6 replace the oldest, 1 and 2
    assert queue.features[:, 0].tolist() == [5, 6, 3, 4]
    queue.push(rows())
    assert queue.features[:, 0].tolist() == [5, 6, 3, 4]
    queue.push(rows(7))
    assert queue.features[:, 0].tolist() == [5, 6, 7, 4]


@pytest.mark.parametrize("before", [0, 1, 3])
def test_batch_larger_than_the_queue(before: int) -> None:
    queue = FeatureQueue(3, 2)
    queue.push(rows(*[0.0] * before))
    queue.push(rows(1, 2, 3, 4, 5, 6, 7))
    assert sorted(queue.features[:, 0].tolist()) == [5, 6, 7]
    queue.push(rows(8))  # replaces the oldest of them
    assert sorted(queue.features[:, 0].tolist()) == [6, 7, 8]


def test_classes_match_their_features() -> None:
    queue = FeatureQueue(3, 2, labeled=True)
    for first in (1, 3, 5):
        queue.push(rows(first, first + 1), torch.tensor([10 * first, 10 * (first + 1)]))
    assert sorted(queue.features[:, 0].tolist()) == [4, 5, 6]
    assert queue.labels.dtype == torch.long
    assert queue.labels.tolist() == [10 * value for value in queue.features[:, 0].tolist()]


def test_stored_features_are_detached_copies() -> None:
    queue, features = FeatureQueue(4, 2), rows(1, 2).requires_grad_()
    queue.push(2 * features)
    stored = queue.features
    assert not stored.requires_grad
    loss = (features * stored).sum()
    queue.push(rows(8, 9, 10))  # a push between forward and backward changes nothing of that step
    loss.backward()
    assert stored[:, 0].tolist() == [2, 4]
    assert features.grad is not None
    assert features.grad[:, 0].tolist() == [2, 4]


def test_loaded_queue_continues_at_the_same_position() -> None:
    queue, loaded = FeatureQueue(3, 2, labeled=True), FeatureQueue(3, 2, labeled=True)
    queue.push(rows(1, 2, 3, 4), torch.tensor([1, 2, 3, 4]))
    loaded.load_state_dict(queue.state_dict())
    for module in (queue, loaded):
        module.push(rows(5), torch.tensor([5]))
    assert loaded.features[:, 0].tolist() == queue.features[:, 0].tolist() == [4, 5, 3]
    assert loaded.labels.tolist() == [4, 5, 3]
    with pytest.raises(RuntimeError, match="size mismatch"):
        FeatureQueue(4, 2, labeled=True).load_state_dict(queue.state_dict())


def test_half_precision_is_stored_in_float32() -> None:
    queue = FeatureQueue(2, 2)
    queue.push(rows(0.5).half())
    assert queue.features.dtype == torch.float32


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 0, expected at least 1"):
        FeatureQueue(0, 2)
    plain, labeled = FeatureQueue(4, 2), FeatureQueue(4, 2, labeled=True)
    with pytest.raises(ValueError, match=r"features are \(3, 5\), expected \(N, 2\)"):
        plain.push(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"features are \(3,\), expected"):
        plain.push(torch.zeros(3))
    with pytest.raises(ValueError, match="labels are given and labeled is False"):
        plain.push(rows(1), torch.tensor([1]))
    with pytest.raises(ValueError, match="labels are missing and labeled is True"):
        labeled.push(rows(1))
    with pytest.raises(ValueError, match=r"labels are \(2,\), expected \(1,\)"):
        labeled.push(rows(1), torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="keeps no classes; build it with labeled=True"):
        _ = plain.labels
    assert labeled.features.shape == (0, 2)
