"""Robustness is measured on the bundle's own path, and finds a mask that does not move with its image."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free import robustness
from benchmarks.label_free.robustness import measure_robustness, read_image, segment_array
from data_prep.phantom import make_phantoms
from s3net_monai.inference import bundle_root, find_cases, load_bundle
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.io.label_maps.read_label import read_label


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[BenchmarkCase]:
    folder = tmp_path_factory.mktemp("skin")
    make_phantoms("skin", folder, count=2, shape=(96, 72))
    return [skin_case(path) for path in sorted((folder / "images").iterdir())]


def skin_case(image: Path) -> BenchmarkCase:
    truth = read_label(image.parents[1] / "labels" / image.name).array > 0
    return BenchmarkCase(case_id=image.stem, split="phantoms", image=image, truth=truth, spacing=(1.0, 1.0), unit="px")


@pytest.mark.slow
def test_an_array_is_segmented_as_its_file(cases: list[BenchmarkCase], tmp_path: Path) -> None:
    flat = np.where(np.arange(40)[:, None, None] % 20 < 12, -850.0, 40.0) * np.ones((40, 30, 2))
    affine = np.diag([-2.5, 2.5, 5.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(flat.astype(np.int16), affine), tmp_path / "slab.nii.gz")
    for task, path in (("skin", cases[0].image), ("lung", tmp_path / "slab.nii.gz")):
        bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
        image = read_image(bundle, path)
        expected = infer_sample(read_case(find_cases([path]).cases[0], bundle), bundle).mask > 0
        np.testing.assert_array_equal(segment_array(bundle, np.asarray(image.as_tensor()), image), expected)


def test_a_threshold_is_equivariant(cases: list[BenchmarkCase], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "segment_array", lambda bundle, array, like: array[2] < 110)
    result = measure_robustness("skin", cases)["phantoms"]
    assert result["cases"] == result["curve_cases"] == 2
    assert len(result["exact"]) == 7
    assert all(f["mean"] == f["min"] == 1 and f["below"] == [] and f["count"] == 2 for f in result["exact"].values())
    assert all(f["truth_mean"] == pytest.approx(result["truth_mean"]) for f in result["exact"].values())
    for name in ("rotation (degrees)", "scale"):
        assert all(0.8 < point["min"] <= point["p5"] <= point["mean"] < 1 for point in result["curves"][name])
    brightness = {point["value"]: point["mean"] for point in result["curves"]["brightness"]}
    assert brightness[0.6] < brightness[0.9] < 1


def test_a_mask_that_stays_when_the_image_rotates_is_reported(
    cases: list[BenchmarkCase], monkeypatch: pytest.MonkeyPatch
) -> None:
    def upper_left(bundle: object, array: np.ndarray, like: object) -> np.ndarray:
        mask = np.zeros(array.shape[1:], dtype=bool)
        mask[: mask.shape[0] // 2, : mask.shape[1] // 2] = True
        return mask

    monkeypatch.setattr(robustness, "segment_array", upper_left)
    exact = measure_robustness("skin", cases[:1])["phantoms"]["exact"]
    assert exact["rotate 180"]["mean"] == 0
    assert exact["rotate 180"]["below"] == [cases[0].case_id]
