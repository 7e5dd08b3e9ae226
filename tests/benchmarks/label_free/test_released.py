"""A bundle as a row: its mask, clusters and score on the image's own grid."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free.released import bundle_predict, released_row
from s3net_monai.inference import load_bundle


def volume_case(folder: Path, volume: np.ndarray, affine: np.ndarray) -> BenchmarkCase:
    nibabel.save(nibabel.Nifti1Image(volume, affine), folder / "ct.nii.gz")
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0))
    return BenchmarkCase(
        case_id="ct",
        split="volumes",
        image=folder / "ct.nii.gz",
        truth=volume < -400,
        spacing=spacing,
        unit="mm",
    )


def test_a_network_without_clusters_has_those_of_its_mask(lung_bundle: Path, tmp_path: Path) -> None:
    volume = np.full((7, 6, 5), 40, dtype=np.int16)
    volume[5:, 1:3, 2] = -800
    case = volume_case(tmp_path, volume, np.diag([-2.0, 2.0, 4.0, 1.0]))  # LAS
    partition = bundle_predict(load_bundle("lung", lung_bundle, torch.device("cpu")))(case)
    np.testing.assert_array_equal(partition.mask, case.truth)
    np.testing.assert_array_equal(partition.clusters, case.truth)
    assert partition.consistency is None


@pytest.mark.slow
def test_released_clusters_are_on_the_grid_of_the_mask(tmp_path: Path) -> None:
    """Two lungs of different size in a box of tissue, stored LAS: mirrored clusters would miss both."""
    volume = np.full((60, 50, 16), -1000, dtype=np.int16)
    volume[6:54, 6:44] = 40
    volume[11:27, 12:38, 2:14] = -800
    volume[36:48, 14:30, 2:14] = -800
    case = volume_case(tmp_path, volume, np.diag([-6.0, 6.0, 5.0, 1.0]))
    partition = released_row("lung").prepare(0)(case)
    assert partition.mask.shape == partition.clusters.shape == case.truth.shape
    assert partition.consistency is not None
    assert 0 <= partition.consistency <= 1
    assert partition.mask.any()
    inside = np.bincount(partition.clusters[partition.mask], minlength=8)
    lung_clusters = np.isin(partition.clusters, np.flatnonzero(inside > 0.02 * inside.sum()))
    assert lung_clusters[partition.mask].mean() > 0.95
    assert partition.seconds is not None
