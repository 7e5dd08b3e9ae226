"""Lung baselines on two ellipsoids of air in a box of tissue, in HU and as an 8-bit slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from benchmarks.common.types import BenchmarkCase, Row
from benchmarks.label_free.baselines_lung import baseline_rows, read_ct
from s3net_monai.transforms.skin_labeling import dice

METHODS = [row for row in baseline_rows() if row.name != "everything foreground"]


def _chest(shape: tuple[int, int, int] = (72, 64, 6)) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    lung = ((np.abs(x) - 0.4) / 0.25) ** 2 + (y / 0.5) ** 2 < 1
    body = (x / 0.9) ** 2 + (y / 0.8) ** 2 < 1
    flat = np.where(lung, -830.0, np.where(body, 40.0, -1000.0))
    noise = np.random.default_rng(0).normal(0, 25, shape)
    return (flat[..., None] + noise).astype(np.float32), np.repeat(lung[..., None], shape[2], axis=-1)


def _volume(folder: Path) -> BenchmarkCase:
    image, truth = _chest()
    path = folder / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(image, np.diag([-2.0, 2.0, 5.0, 1.0])), path)
    return BenchmarkCase(
        case_id="ct", split="volume id003", image=path, truth=truth, spacing=(2.0, 2.0, 5.0), unit="mm"
    )


def _slice(folder: Path) -> BenchmarkCase:
    image, truth = _chest((280, 200, 1))
    gray = (image[..., 0] / 1400 * 255 + 182).clip(0, 255).astype(np.uint8)
    path = folder / "slice.png"
    Image.fromarray(gray.T).save(path)
    return BenchmarkCase(
        case_id="slice", split="LungSegDB", image=path, truth=truth[..., 0], spacing=(1.0, 1.0), unit="px"
    )


@pytest.mark.parametrize("make", [_volume, _slice], ids=["volume", "slice"])
@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_each_method_finds_lungs_and_no_outside_air(
    row: Row, make: Callable[[Path], BenchmarkCase], tmp_path: Path
) -> None:
    case = make(tmp_path)
    partition = row.prepare(row.seeds[-1])(case)
    assert partition.mask.dtype == bool
    assert partition.mask.shape == partition.clusters.shape == case.truth.shape
    assert dice(partition.mask, case.truth) > 0.93
    assert len(np.unique(partition.clusters)) > 1


def test_everything_is_one_cluster_and_all_lung(tmp_path: Path) -> None:
    partition = baseline_rows()[0].prepare(0)(_volume(tmp_path))
    assert partition.mask.all()
    assert np.unique(partition.clusters).tolist() == [0]


def test_a_volume_is_read_in_hu_on_its_own_grid(tmp_path: Path) -> None:
    image = read_ct(_volume(tmp_path).image)
    np.testing.assert_allclose(image[0], ((_chest()[0] + 1000) / 1400).clip(0, 1), atol=1e-4)


def test_lung_and_tissue_of_an_8_bit_slice_have_usual_hu(tmp_path: Path) -> None:
    case = _slice(tmp_path)
    image = read_ct(case.image)[0]
    assert image[case.truth].mean() == pytest.approx(150 / 1400, abs=0.02)
    assert image[140, 100] == pytest.approx(1040 / 1400, abs=0.06)


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_a_volume_of_one_value_is_no_error(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "flat.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.full((40, 32, 3), 40, dtype=np.float32), np.eye(4)), path)
    truth = np.zeros((40, 32, 3), dtype=bool)
    case = BenchmarkCase(case_id="flat", split="x", image=path, truth=truth, spacing=(1.0, 1.0, 1.0), unit="mm")
    assert not row.prepare(0)(case).mask.any()
