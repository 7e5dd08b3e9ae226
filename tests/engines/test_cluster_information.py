"""Tests of the mutual information of two views' clusters: reference, bounds and evaluator."""

from __future__ import annotations

import math

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.engines import ClusterInformation, TwoViews

Output = tuple[tuple[Tensor, Tensor], dict[str, Tensor]]


def grid_of(theta: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.affine_grid(theta, [len(theta), 1, *size], align_corners=False)


def identity(count: int, size: tuple[int, ...]) -> Tensor:
    return grid_of(torch.eye(len(size), len(size) + 1).repeat(count, 1, 1), size)


def output(first: Tensor, second: Tensor, grid: Tensor) -> Output:
    main = torch.cat([first, second])
    return (main, torch.randn_like(main)), {"grid": grid}


def information(*outputs: Output) -> float:
    metric = ClusterInformation()
    for entry in outputs:
        metric.update(entry)
    return float(metric.compute())


def sharp(labels: Tensor, clusters: int) -> Tensor:
    """Return logits (B, K, ...) whose softmax is nearly one-hot."""
    return 50 * F.one_hot(labels, clusters).movedim(-1, 1).float()


def test_equals_sums_over_single_voxels() -> None:
    """After a quarter turn or a shift on 6 x 6 voxels every voxel lies on one of the image, or on none."""
    torch.manual_seed(0)
    clusters, n = 3, 6
    first, second = 2 * torch.randn(2, clusters, n, n), 2 * torch.randn(2, clusters, n, n)
    # x first in normalized coordinates of affine_grid, which has the last axis first
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0]])
    shifted = torch.tensor([[1.0, 0, 2 * 2 / n], [0, 1, 0]])  # two voxels along the last axis
    metric_value = information(output(first, second, grid_of(torch.stack([quarter, shifted]), (n, n))))

    p, q = torch.softmax(first.double(), 1), torch.softmax(second.double(), 1)
    joint = [[0.0] * clusters for _ in range(clusters)]
    for row in range(n):
        for column in range(n):
            sources = [(column, n - 1 - row), (row, column + 2)]
            for image, (x, y) in enumerate(sources):
                if x < n and y < n:
                    for a in range(clusters):
                        for b in range(clusters):
                            joint[a][b] += float(p[image, a, x, y] * q[image, b, row, column])
    total = sum(map(sum, joint))
    assert total == pytest.approx(n * n + n * (n - 2))
    expected = 0.0
    for a in range(clusters):
        for b in range(clusters):
            pab, pa, pb = joint[a][b], sum(joint[a]), sum(line[b] for line in joint)
            expected += pab / total * math.log(pab * total / (pa * pb))
    assert metric_value == pytest.approx(expected, rel=1e-3)
    assert expected > 1e-3


@pytest.mark.parametrize("clusters", [2, 5])
@pytest.mark.parametrize("size", [(10, 8), (10, 8, 3)])
def test_perfect_balanced_agreement_has_log_k_nats(clusters: int, size: tuple[int, ...]) -> None:
    labels = (torch.arange(math.prod(size)) % clusters).reshape(1, *size).repeat(2, *[1] * len(size))
    logits = sharp(labels, clusters)
    assert information(output(logits, logits, identity(2, size))) == pytest.approx(math.log(clusters), rel=1e-3)


def test_the_order_of_the_clusters_does_not_matter() -> None:
    labels = torch.randint(0, 4, (1, 9, 9))
    logits, permuted = sharp(labels, 4), sharp((labels + 1) % 4, 4)
    grid = identity(1, (9, 9))
    assert information(output(logits, permuted, grid)) == pytest.approx(information(output(logits, logits, grid)))


def test_collapse_has_no_information() -> None:
    collapsed = sharp(torch.zeros(2, 8, 8, dtype=torch.long), 4)
    assert information(output(collapsed, collapsed, identity(2, (8, 8)))) == pytest.approx(0, abs=1e-6)


def test_independent_views_have_no_information() -> None:
    rows, columns = torch.arange(8)[:, None] % 2, torch.arange(8)[None] % 2
    first, second = ((labels + torch.zeros(8, 8, dtype=torch.long))[None] for labels in (rows, columns))
    value = information(output(sharp(first, 2), sharp(second, 2), identity(1, (8, 8))))
    assert value == pytest.approx(0, abs=1e-6)


def test_uncertainty_lowers_the_information() -> None:
    labels = (torch.arange(64) % 4).reshape(1, 8, 8)
    values = [information(output(f * sharp(labels, 4), f * sharp(labels, 4), identity(1, (8, 8)))) for f in (1, 0.05)]
    assert 0 < values[1] < 0.8 * values[0]


def test_voxels_outside_one_view_do_not_count() -> None:
    labels = (torch.arange(64) % 4).reshape(1, 8, 8)
    second = sharp(labels, 4)
    right = torch.tensor([[[1.0, 0, 1.0], [0, 1, 0]]])  # four voxels along the last axis
    first = sharp(labels.roll(4, dims=2), 4)
    expected = information(output(first, second, grid_of(right, (8, 8))))
    second[..., 4:] = sharp(torch.zeros(1, 8, 4, dtype=torch.long), 4)
    assert information(output(first, second, grid_of(right, (8, 8)))) == pytest.approx(expected)
    assert expected == pytest.approx(math.log(4), rel=1e-3)


def test_batches_add_up_and_reset_discards_them() -> None:
    torch.manual_seed(1)
    first, second, grid = torch.randn(2, 3, 7, 6), torch.randn(2, 3, 7, 6), identity(2, (7, 6))
    together = information(output(first, second, grid))
    halves = [output(first[i : i + 1], second[i : i + 1], grid[i : i + 1]) for i in (0, 1)]
    assert information(*halves) == pytest.approx(together, rel=1e-5)
    metric = ClusterInformation()
    metric.update(output(sharp(torch.zeros(2, 7, 6, dtype=torch.long), 3), second, grid))
    metric.reset()
    metric.update(output(first, second, grid))
    assert metric.compute() == pytest.approx(together, rel=1e-6)


def test_no_voxels_are_an_error() -> None:
    with pytest.raises(ValueError, match="no voxel was seen by both views; is the validation list empty"):
        ClusterInformation().compute()


class ToyHeads(torch.nn.Module):
    """Four clusters by brightness, the same for both heads."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = -40 * (x - torch.tensor([0.0, 0.33, 0.67, 1.0]).reshape(1, 4, 1, 1)).abs()
        return scores, scores


def test_selects_on_monais_evaluator_from_a_config() -> None:
    squares = F.interpolate(torch.tensor([[0.0, 0.33], [0.67, 1.0]])[None, None], scale_factor=8)[0]
    config = {
        "views": {"_target_": "s3net_monai.engines.TwoViews", "gain": 0, "bias": 0, "noise": 0, "seed": 0},
        "metric": {
            "_target_": "s3net_monai.engines.ClusterInformation",
            "output_transform": "$__import__('monai').handlers.from_engine(['pred', 'label'])",
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "cpu",
            "val_data_loader": "@loader",
            "network": "@network",
            "prepare_batch": "@views",
            "key_val_metric": {"cluster_information": "@metric"},
            "decollate": False,
        },
        "loader": [{"image": squares[None]}, {"image": squares[None]}],
        "network": ToyHeads(),
    }
    evaluator = ConfigParser(config).get_parsed_content("evaluator")
    evaluator.run()
    value = evaluator.state.metrics["cluster_information"]
    assert 0.6 * math.log(4) < value < math.log(4)
    metric = ClusterInformation()
    for batch in config["loader"]:
        views, target = TwoViews(gain=0, bias=0, noise=0, seed=0)(batch)
        metric.update((ToyHeads()(views), target))
    assert value == pytest.approx(metric.compute())
