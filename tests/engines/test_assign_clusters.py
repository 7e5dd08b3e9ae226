"""Which clusters are named foreground, and that a trainer names them anew after every epoch."""

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
    ("mass", "mean", "threshold", "named"),
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
def test_table_of_namings(mass: list[float], mean: list[float], threshold: float | None, named: list[int]) -> None:
    rows = torch.tensor([mass, [m * e for m, e in zip(mass, mean, strict=True)]])
    result = foreground_clusters(rows, threshold)
    assert result.tolist() == named
    assert result.dtype == torch.int64


def test_exactly_the_mean_is_background_and_one_class_never_names_all() -> None:
    assert foreground_clusters(torch.tensor([[1.0, 1, 2], [1, 0, 1]]), None).tolist() == [1, 0, 0]
    assert foreground_clusters(torch.tensor([[1.0, 1], [0.5, 0.5]]), None).sum() == 1


@pytest.mark.parametrize("size", [(5, 4), (5, 4, 3)])
def test_evidence_is_summed_over_batch_and_voxels(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    clusters, vote = torch.rand(2, 3, *size), torch.rand(2, 1, *size)
    result = cluster_evidence(clusters, vote)
    assert result.shape == (2, 3)
    for k in range(3):
        assert result[0, k] == pytest.approx(float(clusters[:, k].sum()), rel=1e-5)
        assert result[1, k] == pytest.approx(float((clusters[:, k] * vote[:, 0]).sum()), rel=1e-5)


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


def trainer_of(classes: ClusterToClass, handlers: list[Any], epochs: int = 1) -> SupervisedTrainer:
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=batches(),
        network=S3NetTrainingHeads(classes),
        optimizer=torch.optim.SGD(classes.parameters(), lr=1e-3),
        loss_function=LabelFreeLoss(terms(**S3NET_WEIGHTS), classes.assignment_matrix),
        prepare_batch=TwoViews(),
        train_handlers=handlers,
        decollate=False,
    )


class Recorder:
    """Keeps the evidence of every iteration, computed apart from the handler."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def attach(self, engine: Any) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        main = engine.state.output["pred"][0]
        originals = torch.softmax(main[: len(main) // 2], dim=1)
        self.rows.append(cluster_evidence(originals, batches(1)[0]["weak_label"]).detach())


def test_names_after_an_epoch_of_a_monai_trainer() -> None:
    classes, recorder = small_network(), Recorder()
    classes.set_assignment(torch.tensor([1, 0, 1, 0]))
    handler = AssignClusters(classes, threshold=None)
    trainer_of(classes, [handler, recorder]).run()
    assert len(recorder.rows) == 2
    assert classes.cluster_class.tolist() == foreground_clusters(sum(recorder.rows), None).tolist()
    assert 0 < classes.cluster_class.sum() < 4


def test_every_epoch_starts_from_nothing() -> None:
    classes, recorder = small_network(), Recorder()
    handler = AssignClusters(classes, threshold=None)
    trainer_of(classes, [handler, recorder], epochs=2).run()
    assert len(recorder.rows) == 4
    torch.testing.assert_close(handler._evidence, sum(recorder.rows[2:]))


def test_naming_is_in_the_state_dict_and_in_the_classes(tmp_path: Path) -> None:
    classes = small_network()
    handler = AssignClusters(classes, threshold=0.5)
    handler._evidence = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.9, 0.2, 0.8]])
    handler.assign(trainer_of(classes, []))
    torch.save(classes.state_dict(), tmp_path / "model.pt")
    loaded = small_network()
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert loaded.cluster_class.tolist() == [0, 1, 0, 1]
    image = torch.rand(1, 1, 16, 16)
    foreground = torch.softmax(loaded.eval().network(image), dim=1)[:, [1, 3]].sum(dim=1)
    torch.testing.assert_close(loaded(image)[:, 1], foreground)


def test_from_a_config_with_another_key() -> None:
    classes = small_network()
    config = {"_target_": "s3net_monai.engines.AssignClusters", "classes": "@classes", "evidence_key": "center"}
    handler = ConfigParser({"handler": config, "classes": classes}).get_parsed_content("handler")
    assert handler.threshold == 0.5
    main = torch.zeros(2, 4, 2, 2)
    main[0, 2, 0], main[0, 1, 1] = 50, 50  # the original: cluster 2 above, cluster 1 below
    main[1, 3] = 50  # the moved view does not count
    center = torch.tensor([[[[1.0, 1], [0, 0]]]])
    engine = trainer_of(classes, [])
    engine.state.output = {"pred": (main, main), "label": {"center": center, "weak_label": 1 - center}}
    handler.reset(engine)
    handler.update(engine)
    handler.assign(engine)
    assert classes.cluster_class.tolist() == [0, 0, 1, 0]


def test_processes_name_from_the_evidence_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here cluster 1 has the most evidence, on the other process cluster 2: together 2, so 2 on both."""
    classes = small_network()
    handler = AssignClusters(classes)
    handler._evidence = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.4, 0.3, 0.1]])
    elsewhere = torch.tensor([[1.0, 1, 1, 1], [0.1, 0.0, 0.4, 0.1]])
    monkeypatch.setattr("ignite.distributed.all_reduce", lambda here: here + elsewhere)
    handler.assign(Engine(lambda engine, batch: None))
    assert classes.cluster_class.tolist() == [0, 0, 1, 0]
