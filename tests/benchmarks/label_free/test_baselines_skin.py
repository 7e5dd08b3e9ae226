"""Skin baselines on a dark disk on bright skin, drawn wider than high."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.types import BenchmarkCase, Row
from benchmarks.label_free.baselines_skin import baseline_rows, otsu_blue, read_rgb, segment
from s3net_monai.transforms.skin_labeling import dice

METHODS = [row for row in baseline_rows() if row.name != "everything foreground"]


def _image(shape: tuple[int, int] = (300, 200), corners: bool = False) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    truth = (x - 0.55 * shape[0]) ** 2 + (y - 0.45 * shape[1]) ** 2 < 45**2
    noise = np.random.default_rng(0).normal(0, 0.02, (3, *shape))
    image = np.where(truth, np.array([0.45, 0.3, 0.2])[:, None, None], np.array([0.85, 0.65, 0.55])[:, None, None])
    image = (image + noise).clip(0, 1)
    if corners:
        half = np.hypot(x / shape[0] - 0.5, y / shape[1] - 0.5)
        image *= half < 0.6
    return image.astype(np.float32), truth


def _case(folder: Path, image: np.ndarray, truth: np.ndarray) -> BenchmarkCase:
    path = folder / "case.png"
    Image.fromarray((image * 255).round().astype(np.uint8).transpose(2, 1, 0)).save(path)
    return BenchmarkCase(case_id="case", split="PH2", image=path, truth=truth, spacing=(1.0, 1.0), unit="px")


@pytest.mark.parametrize("corners", [False, True], ids=["plain", "vignette"])
@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_each_method_finds_the_disk_on_the_images_own_grid(row: Row, corners: bool, tmp_path: Path) -> None:
    image, truth = _image(corners=corners)
    partition = row.prepare(row.seeds[-1])(_case(tmp_path, image, truth))
    assert partition.mask.dtype == bool
    assert partition.mask.shape == partition.clusters.shape == truth.shape
    assert dice(partition.mask, truth) > 0.9  # a mixture gives the blurred rim to its broader class
    assert len(np.unique(partition.clusters)) > 1


def test_everything_is_one_cluster_and_all_lesion(tmp_path: Path) -> None:
    partition = baseline_rows()[0].prepare(0)(_case(tmp_path, *_image()))
    assert partition.mask.all()
    assert np.unique(partition.clusters).tolist() == [0]


def test_an_image_is_read_x_first_between_zero_and_one(tmp_path: Path) -> None:
    image, truth = _image((40, 24))
    case = _case(tmp_path, image, truth)
    np.testing.assert_allclose(read_rgb(case.image), image, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("row", [row for row in METHODS if len(row.seeds) > 1], ids=lambda row: row.name)
def test_a_seed_repeats_its_partition(row: Row, tmp_path: Path) -> None:
    case = _case(tmp_path, *_image())
    first, second = (row.prepare(1)(case) for _ in range(2))
    assert np.array_equal(first.clusters, second.clusters)


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_an_image_of_one_color_is_no_error(row: Row, value: float, tmp_path: Path) -> None:
    image = np.full((3, 40, 30), value, dtype=np.float32)
    assert row.prepare(0)(_case(tmp_path, image, image[0] > 1)).mask.shape == (40, 30)


def test_masks_are_found_small_and_brought_back_to_size() -> None:
    image, truth = _image((600, 400))
    assert segment(image, otsu_blue).mask.shape == (600, 400)
    x, y = np.nonzero(segment(image, otsu_blue).mask)
    assert (x.mean(), y.mean()) == pytest.approx(tuple(axis.mean() for axis in np.nonzero(truth)), abs=1.0)
