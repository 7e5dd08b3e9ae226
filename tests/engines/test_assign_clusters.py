"""Tests of the assignment of clusters to classes, by rule and in a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer
from torch import Tensor

from s3net_monai.engines import AssignClusters, TwoViews
from s3net_monai.engines.assign_clusters import cluster_evidence, foreground_clusters
from s3net_monai.losses import LabelFreeLoss
from s3net_monai.networks import ClusterToClass, S3Net, S3NetTrainingHeads
from tests.helpers.s3net_terms import S3NET_WEIGHTS, terms


@pytest.mark.parametrize(
    ("mass", "mean", "threshold", "expected"),
    [
        ([1, 1, 1, 1], [0.9, 0.6, 0.5, 0.1], 0.5, [1, 1, 0, 0]),  # exactly at the threshold is background
        ([1, 1, 1, 1], [0.9, 0.6, 0.5, 0.1], 0.7, [1, 0, 0, 0]),
        ([9, 2, 1, 40], [0.9, 0.6, 0.5, 0.1], 0.5, [1, 1, 0, 0]),  # a mean, not a sum
        ([1, 1, 1], [0.3, 0.4, 0.2], 0.5, [0, 1, 0]),  # none: the best
        ([1, 1, 1], [0.8, 0.9, 0.7], 0.5, [1, 1, 0]),  # all: all but the worst
        ([1, 1, 1], [0.6, 0.2, 0.1], None, [1, 0, 0]),  # above the mean of 0.3
        ([1, 1, 1], [0.6, 0.4, 0.1], None, [1, 1, 0]),  # above the mean of 0.37
        ([1, 1, 8], [0.6, 0.4, 0.45], None, [1, 0, 0]),  # above the mean of 0.46, weighted by mass
        ([1, 1, 0], [0.9, 0.2, 0], 0.5, [1, 0, 0]),  # a dead cluster is background
        ([0, 0], [0, 0], 0.5, [1, 0]),
        ([0, 0], [0, 0], None, [1, 0]),
    ],
)
def test_table_of_assignments(
    mass: list[float], mean: list[float], threshold: float | None, expected: list[int]
) -> None:
    rows = torch.tensor([mass, [m * e for m, e in zip(mass, mean, strict=True)]])
    result = foreground_clusters(rows, threshold)
    assert result.tolist() == expected
    assert result.dtype == torch.int64


def test_the_mean_is_background_and_no_class_gets_all() -> None:
    assert foreground_clusters(torch.tensor([[1.0, 1, 2], [1, 0, 1]]), None).tolist() == [1, 0, 0]
    assert foreground_clusters(torch.tensor([[1.0, 1], [0.5, 0.5]]), None).sum() == 1


@pytest.mark.parametrize("size", [(5, 4), (5, 4, 3)])
def test_evidence_is_summed_over_batch_and_voxels(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    clusters, weak_label = torch.rand(2, 3, *size), torch.rand(2, 1, *size)
    result = cluster_evidence(clusters, weak_label)
    assert result.shape == (2, 3)
    for k in range(3):
        assert result[0, k] == pytest.approx(float(clusters[:, k].sum()), rel=1e-5)
        assert result[1, k] == pytest.approx(float((clusters[:, k] * weak_label[:, 0]).sum()), rel=1e-5)


def small_network() -> ClusterToClass:
    torch.manual_seed(0)
    return ClusterToClass(S3Net(in_channels=1, num_clusters=4, channels=8, num_blocks=1))


def batches(count: int = 2) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(3)
    dark = torch.zeros(2, 1, 16, 16)
    dark[..., 4:12, 4:12] = 1
    return [
        {"image": dark + 0.1 * torch.rand(dark.shape, generator=generator), "weak_label": dark} for _ in range(count)
    ]


def trainer_of(network: ClusterToClass, handlers: list[Any], epochs: int = 1) -> SupervisedTrainer:
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=batches(),
        network=S3NetTrainingHeads(network),
        optimizer=torch.optim.SGD(network.parameters(), lr=1e-3),
        loss_function=LabelFreeLoss(terms(**S3NET_WEIGHTS), network.assignment_matrix),
        prepare_batch=TwoViews(),
        train_handlers=handlers,
        decollate=False,
    )


class Recorder:
    """Record the evidence of every iteration, computed independently of the handler."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def attach(self, engine: Any) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        main = engine.state.output["pred"][0]
        originals = torch.softmax(main[: len(main) // 2], dim=1)
        self.rows.append(cluster_evidence(originals, batches(1)[0]["weak_label"]).detach())


def test_assigns_after_an_epoch_of_a_monai_trainer() -> None:
    network, recorder = small_network(), Recorder()
    network.set_assignment(torch.tensor([1, 0, 1, 0]))
    handler = AssignClusters(network, threshold=None)
    trainer_of(network, [handler, recorder]).run()
    assert len(recorder.rows) == 2
    assert network.cluster_class.tolist() == foreground_clusters(sum(recorder.rows), None).tolist()
    assert 0 < network.cluster_class.sum() < 4


def test_every_epoch_starts_from_nothing() -> None:
    network, recorder = small_network(), Recorder()
    handler = AssignClusters(network, threshold=None)
    trainer_of(network, [handler, recorder], epochs=2).run()
    assert len(recorder.rows) == 4
    torch.testing.assert_close(handler._evidence, sum(recorder.rows[2:]))


def test_assignment_is_in_the_state_dict(tmp_path: Path) -> None:
    network = small_network()
    handler = AssignClusters(network, threshold=0.5)
    handler._evidence = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.9, 0.2, 0.8]])
    handler.assign(trainer_of(network, []))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    loaded = small_network()
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert loaded.cluster_class.tolist() == [0, 1, 0, 1]
    image = torch.rand(1, 1, 16, 16)
    foreground = torch.softmax(loaded.eval().network(image), dim=1)[:, [1, 3]].sum(dim=1)
    torch.testing.assert_close(loaded(image)[:, 1], foreground)


def test_from_a_config_with_another_key() -> None:
    network = small_network()
    config = {"_target_": "s3net_monai.engines.AssignClusters", "network": "@network", "evidence_key": "center"}
    handler = ConfigParser({"handler": config, "network": network}).get_parsed_content("handler")
    assert handler.threshold == 0.5
    main = torch.zeros(2, 4, 2, 2)
    main[0, 2, 0], main[0, 1, 1] = 50, 50  # the original: cluster 2 above, cluster 1 below
    main[1, 3] = 50  # the transformed view does not count
    center = torch.tensor([[[[1.0, 1], [0, 0]]]])
    engine = trainer_of(network, [])
    engine.state.output = {"pred": (main, main), "label": {"center": center, "weak_label": 1 - center}}
    handler.reset(engine)
    handler.update(engine)
    handler.assign(engine)
    assert network.cluster_class.tolist() == [0, 0, 1, 0]


def test_processes_assign_from_the_evidence_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cluster 1 has most evidence in this process, cluster 2 in the other one and in the sum, so both assign 2."""
    network = small_network()
    handler = AssignClusters(network)
    handler._evidence = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.4, 0.3, 0.1]])
    other_process = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.0, 0.4, 0.1]])
    monkeypatch.setattr("ignite.distributed.all_reduce", lambda evidence: evidence + other_process)
    handler.assign(Engine(lambda engine, batch: None))
    assert network.cluster_class.tolist() == [0, 0, 1, 0]
