"""Dense contrast: values by hand, a loop over pairs, the geometry, and the memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from s3net_monai.engines import TwoViews
from s3net_monai.losses import DenseContrastiveLoss
from s3net_monai.losses.correspondence import resize_grid, sample_locations
from tests.helpers.tensors import affine_grid, check_gradient, draw, identity_grid

affine = partial(affine_grid, spread=0.3)


def interpolate(maps: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Linear interpolation of (D, X, Y[, Z]) at a voxel position, the edge repeated."""
    value = np.zeros(maps.shape[0])
    for corner in np.ndindex(*[2] * len(position)):
        neighbor = np.floor(position).astype(int) + corner
        clipped = np.clip(neighbor, 0, np.array(maps.shape[1:]) - 1)
        value += np.prod(1 - np.abs(position - neighbor)) * maps[(slice(None), *clipped)]
    return value


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def loop_loss(
    loss: DenseContrastiveLoss,
    first: Tensor,
    second: Tensor,
    *,
    grid: Tensor,
    valid: Tensor | None = None,
    queue: Tensor | None = None,
) -> float:
    """The formula in loops over the locations that the same seed samples."""
    indices, points, usable = sample_locations(resize_grid(grid, second.shape[2:]), valid, loss.samples)
    size = np.array(first.shape[2:])
    samples = []
    for b, n in np.argwhere(usable.numpy()):
        position = ((points[b, n].numpy()[::-1].astype(float) + 1) * size - 1) / 2
        key = second[b].flatten(1)[:, indices[b, n]].double().numpy()
        samples.append((b, position, unit(interpolate(first[b].double().numpy(), position)), unit(key)))
    queue_rows = [] if queue is None else [unit(row) for row in queue.double().numpy()]
    terms = []
    for b, position, anchor, key in samples:
        negatives = [
            other_key
            for other_b, other_position, _, other_key in samples
            if other_b != b or np.linalg.norm(other_position - position) > loss.radius
        ] + queue_rows
        if negatives:
            positive = math.exp(anchor @ key / loss.temperature)
            total = positive + sum(math.exp(anchor @ negative / loss.temperature) for negative in negatives)
            terms.append(-math.log(positive / total))
    return float(np.mean(terms)) if terms else 0.0


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 3)])
@pytest.mark.parametrize("samples", [1, 8, 500])
@pytest.mark.parametrize("radius", [0.0, 1.5, 100.0])
@pytest.mark.parametrize("make_grid", [identity_grid, affine])
@pytest.mark.parametrize("queued", [None, 5])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_loop(
    size: tuple[int, ...],
    samples: int,
    radius: float,
    make_grid: Callable[..., Tensor],
    queued: int | None,
    masked: bool,
) -> None:
    loss = DenseContrastiveLoss(0.2, samples=samples, radius=radius)
    first, second = draw(2, 4, *size), draw(2, 4, *size, seed=1)
    grid = make_grid(2, *(2 * length for length in size))
    queue = None if queued is None else draw(queued, 4, seed=2)
    valid = draw(2, 1, *size, seed=3) > -1 if masked else None
    target: dict[str, Any] = {"grid": grid, "valid": valid, "queue": queue}
    torch.manual_seed(4)
    value = loss(first, second, **target)
    torch.manual_seed(4)
    assert value.item() == pytest.approx(loop_loss(loss, first, second, **target), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_temperature_and_views_of_different_size(temperature: float) -> None:
    loss = DenseContrastiveLoss(temperature, samples=9)
    first, second, grid = draw(2, 4, 8, 6), draw(2, 4, 5, 5, seed=1), affine(2, 20, 20)
    torch.manual_seed(4)
    value = loss(first, second, grid=grid)
    torch.manual_seed(4)
    assert value.item() == pytest.approx(loop_loss(loss, first, second, grid=grid), rel=1e-4)


def test_value_by_hand() -> None:
    """Four locations with orthogonal features: log(1 + 3 exp(-1 / t))."""
    features, grid = torch.eye(4).reshape(1, 4, 2, 2), identity_grid(1, 2, 2)
    loss = DenseContrastiveLoss(temperature=0.5, radius=0)
    assert loss(features, features, grid=grid).item() == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)
    diagonal = DenseContrastiveLoss(temperature=0.5, radius=1)  # only the diagonal neighbor is farther than a voxel
    assert diagonal(features, features, grid=grid).item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize(("samples", "queued"), [(2, 0), (7, 0), (7, 30)])
def test_uninformative_features_cost_the_log_of_the_negatives(samples: int, queued: int) -> None:
    flat = torch.ones(3, 5, 4, 4)
    loss = DenseContrastiveLoss(samples=samples, radius=0)
    value = loss(flat, flat, grid=identity_grid(3, 4, 4), queue=torch.ones(queued, 5))
    assert value.item() == pytest.approx(math.log(3 * samples + queued), rel=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (8, 8, 8)])
def test_positives_follow_the_views_of_the_engine(size: tuple[int, ...]) -> None:
    """An equivariant embedding costs little with the grid that made the view, and much with another."""
    torch.manual_seed(0)
    angle = 1.5 * identity_grid(1, *size).movedim(-1, 1)
    first = torch.cat([angle.sin(), angle.cos()], dim=1)  # closer points have more similar features
    grid = TwoViews().grid(first)
    second = F.grid_sample(first, grid, padding_mode="border", align_corners=False)
    loss = DenseContrastiveLoss(temperature=0.005, samples=200, radius=3)
    assert loss(first, second, grid=grid) < 0.01
    for axis in range(1, 1 + len(size)):
        assert loss(first, second, grid=grid.flip(axis)) > 1


def test_gradient_reaches_the_samples_and_not_the_queue() -> None:
    """Under a rotation by 180 degrees, the valid first row of the second view is the last row of the first view."""
    first, second = draw(1, 4, 4, 4).requires_grad_(), draw(1, 4, 4, 4, seed=1).requires_grad_()
    queue = draw(3, 4, seed=2).requires_grad_()
    valid = torch.zeros(1, 1, 4, 4)
    valid[0, 0, 0] = 1
    DenseContrastiveLoss(radius=0)(first, second, grid=-identity_grid(1, 4, 4), valid=valid, queue=queue).backward()
    assert torch.equal(second.grad.abs().sum(dim=1, keepdim=True) > 0, valid > 0)
    assert (first.grad[:, :, 3].abs().sum(dim=1) > 0).all()
    assert first.grad[:, :, :3].abs().max() < 1e-4 * first.grad.abs().max()  # rounding of the points
    assert queue.grad is None


@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
def test_gradient_of_both_views(size: tuple[int, ...]) -> None:
    loss, grid = DenseContrastiveLoss(0.5, samples=9), affine(2, *size)

    def value(first: Tensor, second: Tensor) -> Tensor:
        torch.manual_seed(1)
        return loss(first, second, grid=grid)

    check_gradient(value, draw(2, 4, *size), draw(2, 4, *size, seed=1))


def test_keys_may_have_no_gradient() -> None:
    first = draw(2, 4, 4, 4).requires_grad_()
    DenseContrastiveLoss()(first, draw(2, 4, 4, 4, seed=1), grid=identity_grid(2, 4, 4)).backward()
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("grid", "valid"),
    [
        (identity_grid(1, 3, 3) + 5, None),
        (identity_grid(1, 3, 3), torch.zeros(1, 1, 3, 3)),
        (identity_grid(1, 3, 3) * 0, None),  # every location within the radius of every other
    ],
)
def test_no_location_or_no_negative_costs_zero_with_a_graph(grid: Tensor, valid: Tensor | None) -> None:
    first, second = draw(1, 4, 3, 3).requires_grad_(), draw(1, 4, 3, 3, seed=1).requires_grad_()
    loss = DenseContrastiveLoss()(first, second, grid=grid, valid=valid)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(first.grad, torch.zeros_like(first))
    assert torch.equal(second.grad, torch.zeros_like(second))


def test_half_precision_is_computed_in_float32() -> None:
    first, second = draw(2, 16, 6, 6).bfloat16(), draw(2, 16, 6, 6, seed=1).bfloat16()
    grid, queue = affine(2, 6, 6), draw(4, 16, seed=2).half()
    loss = DenseContrastiveLoss(0.07, samples=9)
    torch.manual_seed(1)
    expected = loss(first.float(), second.float(), grid=grid, queue=queue.float())
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(first, second, grid=grid, queue=queue)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


def peak_bytes(work: Callable[[], object], folder: Path) -> int:
    """Peak memory of torch's allocator during a call, above the memory in use before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    trace = folder / "trace.json"
    profiler.export_chrome_trace(str(trace))
    events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["name"] == "[memory]"]
    changes = [event["args"]["Bytes"] for event in sorted(events, key=lambda event: event["ts"])]
    return max(np.cumsum([0, *changes]))


def test_peak_bytes_measures_a_matrix(tmp_path: Path) -> None:
    """A product of 1000 x 1000 is measured, and a tensor that was freed before it is not added."""
    rows = torch.ones(1000, 10)

    def work() -> Tensor:
        torch.ones(1000, 500).sum()
        return rows @ rows.T

    assert 4_000_000 <= peak_bytes(work, tmp_path) < 4_100_000


@pytest.mark.parametrize(
    ("batch", "samples", "size", "queued"),
    [
        (8, 128, (32, 32), 0),
        (8, 128, (32, 32), 4096),
        (4, 512, (64, 64), 0),
        (4, 32, (96, 96), 0),
        (2, 512, (16, 16, 16), 0),
    ],
)
def test_memory_stays_within_its_bound(
    batch: int, samples: int, size: tuple[int, ...], queued: int, tmp_path: Path
) -> None:
    """14 bytes per entry of the matrix of samples, and copies of the maps; forward and backward."""
    channels = 8
    first, second = draw(batch, channels, *size).requires_grad_(), draw(batch, channels, *size).requires_grad_()
    grid, queue = identity_grid(batch, *size), draw(queued, channels)
    rows = batch * samples
    loss = DenseContrastiveLoss(samples=samples, limit=rows * (rows + queued))
    peak = peak_bytes(lambda: loss(first, second, grid=grid, queue=queue).backward(), tmp_path)
    sampled = 4 * channels * (rows + queued)
    assert peak <= 14 * loss.limit + 4 * first.nbytes + 16 * sampled


def test_no_matrix_of_all_locations_is_built(tmp_path: Path) -> None:
    """On maps of 160 x 160, a matrix of all pairs of locations would take 2.6 GB; the peak is below a hundredth."""
    features, grid = draw(4, 8, 160, 160).requires_grad_(), identity_grid(4, 160, 160)
    peak = peak_bytes(lambda: DenseContrastiveLoss()(features, features, grid=grid).backward(), tmp_path)
    assert peak < 4 * (160 * 160) ** 2 / 100


def test_a_matrix_beyond_the_limit_is_refused() -> None:
    features, grid = torch.ones(3, 2, 8, 8), identity_grid(3, 8, 8)
    DenseContrastiveLoss(samples=10, limit=900)(features, features, grid=grid)
    with pytest.raises(ValueError, match=r"900 entries, more than the limit of 899; lower samples"):
        DenseContrastiveLoss(samples=10, limit=899)(features, features, grid=grid)
    with pytest.raises(ValueError, match="1050 entries"):
        DenseContrastiveLoss(samples=10, limit=900)(features, features, grid=grid, queue=torch.ones(5, 2))
    with pytest.raises(ValueError, match=f"{(3 * 64) ** 2} entries"):  # no more locations than voxels
        DenseContrastiveLoss(samples=1000, limit=900)(features, features, grid=grid)


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4, 4), (2, 5, 4, 4), (2, 4, 4, 2)),
        ((2, 3, 4, 4), (2, 3, 4, 4), (1, 4, 4, 2)),
        ((2, 3, 4, 4), (2, 3, 4, 4), (2, 4, 4, 3)),
        ((2, 3, 4, 4), (2, 3, 4, 4, 4), (2, 4, 4, 2)),
    ],
)
def test_shapes_that_do_not_match_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    first, second, grid = (torch.ones(shape) for shape in shapes)
    with pytest.raises(ValueError, match="do not match"):
        DenseContrastiveLoss()(first, second, grid=grid)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"samples": 0}, {"radius": -1}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        DenseContrastiveLoss(**settings)
