"""Assignment of clusters to classes: sums, state dict, refusals, and export."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from s3net_monai.networks import ClusterToClass, S3Net, S3NetTrainingHeads


def classes(spatial_dims: int = 2, num_clusters: int = 5, num_classes: int = 2) -> ClusterToClass:
    torch.manual_seed(0)
    network = S3Net(spatial_dims, 1, num_clusters, channels=[4, 6], num_blocks=[0, 1], norm="instance")
    torch.nn.init.normal_(network.body.deformable[0].offset.weight, std=0.2)
    return ClusterToClass(network, num_classes).eval()


@pytest.mark.parametrize(
    ("num_clusters", "num_classes", "expected"),
    [(4, 2, [0, 0, 1, 1]), (5, 2, [0, 0, 0, 1, 1]), (2, 2, [0, 1]), (7, 3, [0, 0, 0, 1, 1, 2, 2])],
)
def test_default_assignment_is_an_even_split(num_clusters: int, num_classes: int, expected: list[int]) -> None:
    assert classes(num_clusters=num_clusters, num_classes=num_classes).cluster_class.tolist() == expected


@pytest.mark.parametrize("size", [(9, 6), (7, 5, 3)])
@pytest.mark.parametrize("assignment", [[0, 1, 0, 2, 1], [2, 2, 2, 2, 2], [1, 1, 0, 0, 2]])
def test_probabilities_are_sums_of_the_softmax(size: tuple[int, ...], assignment: list[int]) -> None:
    model = classes(len(size), num_clusters=5, num_classes=3)
    model.set_assignment(torch.tensor(assignment))
    x = torch.randn(2, 1, *size)
    probabilities = model(x)
    clusters = torch.softmax(model.network(x), dim=1)
    expected = torch.zeros_like(probabilities)
    for cluster, class_index in enumerate(assignment):
        expected[:, class_index] += clusters[:, cluster]
    torch.testing.assert_close(probabilities, expected)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2, *size))


def test_assignment_matrix_is_one_hot() -> None:
    model = classes(num_clusters=4, num_classes=3)
    model.set_assignment(torch.tensor([2, 0, 2, 1]))
    expected = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    torch.testing.assert_close(model.assignment_matrix(), expected)


def test_state_dict_has_the_assignment(tmp_path: Path) -> None:
    trained, loaded = classes(), classes()
    trained.set_assignment(torch.tensor([1, 0, 1, 0, 1]))
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True), strict=True)
    assert loaded.cluster_class.tolist() == [1, 0, 1, 0, 1]
    x = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(loaded(x), trained(x))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (torch.tensor([0, 1, 0]), r"cluster_class has shape \(3,\), expected \(5,\)"),
        (torch.zeros(5, 1), r"cluster_class has shape \(5, 1\), expected \(5,\)"),
        (torch.tensor([0, 1, 2, 0, 0]), r"cluster_class \[0, 1, 2, 0, 0\] has a class outside 0..1"),
        (torch.tensor([0, -1, 1, 0, 0]), r"has a class outside 0..1"),
    ],
)
def test_impossible_assignment_is_refused(assignment: torch.Tensor, message: str) -> None:
    model = classes()
    before = model.cluster_class.clone()
    with pytest.raises(ValueError, match=message):
        model.set_assignment(assignment)
    assert torch.equal(model.cluster_class, before)


def test_fewer_clusters_than_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 clusters cannot be assigned to 3 classes; raise num_clusters"):
        classes(num_clusters=2, num_classes=3)


def test_two_heads_are_those_of_the_network() -> None:
    model = classes()
    x = torch.randn(2, 1, 8, 9)
    for logits, expected in zip(S3NetTrainingHeads(model)(x), model.network.heads(x), strict=True):
        torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("size", [(9, 12), (6, 9, 5)])
def test_torchscript_equals_eager(size: tuple[int, ...]) -> None:
    model = classes(len(size))
    model.set_assignment(torch.tensor([1, 0, 0, 1, 0]))
    scripted = torch.jit.script(model)
    for batch in (1, 2):
        x = torch.randn(batch, 1, *size)
        torch.testing.assert_close(scripted(x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(16, 12), (8, 10, 6)])
def test_onnx_equals_eager(size: tuple[int, ...], tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed (extra 'export')")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed (extra 'export')")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'export')")
    model = classes(len(size))
    model.set_assignment(torch.tensor([1, 0, 0, 1, 0]))
    x = torch.randn(1, 1, *size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=True, opset_version=20, verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(probabilities), model(x), rtol=0, atol=1e-4)


def test_builds_from_a_config() -> None:
    config = {
        "network_def": {
            "_target_": "s3net_monai.networks.ClusterToClass",
            "network": {"_target_": "s3net_monai.networks.S3Net", "channels": 8, "num_blocks": 1, "num_clusters": 3},
            "num_classes": 2,
        }
    }
    model = ConfigParser(config).get_parsed_content("network_def")
    assert model(torch.rand(1, 3, 8, 8)).shape == (1, 2, 8, 8)
