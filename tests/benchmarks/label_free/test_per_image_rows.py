"""Per-image rows: on the image's own grid, with classes assigned by the image, repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from PIL import Image

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free import per_image_rows
from benchmarks.label_free.per_image_rows import original_s3net_per_image
from benchmarks.label_free.trained_skin import trained_rows
from s3net_monai.transforms.skin_labeling import dice


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    yield
    set_determinism(None)


@pytest.fixture
def case(tmp_path: Path) -> BenchmarkCase:
    """A dark ellipse on light skin, wider than high and off the middle, so that a rotation or a flip would show."""
    x, y = np.meshgrid(np.arange(120), np.arange(80), indexing="ij")
    truth = ((x - 70) / 30) ** 2 + ((y - 35) / 18) ** 2 < 1
    Image.fromarray(np.stack([np.where(truth, 60, 220).astype(np.uint8).T] * 3, axis=-1)).save(tmp_path / "a.png")
    return BenchmarkCase(case_id="a", split="PH2", image=tmp_path / "a.png", truth=truth, spacing=(1.0, 1.0), unit="px")


def test_clusters_are_on_the_image_grid_and_have_classes(case: BenchmarkCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three arbitrary cluster numbers in place of a fit: left and right half of skin, lesion."""

    def fit(image: torch.Tensor, steps: int) -> torch.Tensor:
        assert image.shape == (3, 256, 256)
        clusters = torch.full((256, 256), 5)
        clusters[128:] = 40
        clusters[image.mean(dim=0) < 0.5] = 63
        return clusters

    monkeypatch.setattr(per_image_rows, "fit_original_s3net", fit)
    partition = original_s3net_per_image(0)(case)
    assert dice(partition.mask, case.truth) > 0.97
    assert np.unique(partition.clusters).tolist() == [0, 1, 2]
    assert dice(partition.clusters == 2, case.truth) > 0.97
    assert (partition.clusters[:39] == 0).all()
    assert (partition.clusters[101:] == 1).all()


def test_rows_of_the_table(tmp_path: Path) -> None:
    rows = trained_rows(tmp_path, tmp_path)  # nothing is trained or read before a row is prepared
    assert [row.kind for row in rows] == ["per-image", "per-image", "trained", "supervised"]
    assert all(row.seeds == (0, 1, 2) for row in rows)
    assert [row.every > 1 for row in rows] == [True, True, False, False]
