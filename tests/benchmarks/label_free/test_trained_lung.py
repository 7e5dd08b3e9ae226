"""Lung trainings: what they read and leave out, and that the trained variants run on volumes."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from benchmarks.common.train import train_variant
from benchmarks.common.types import BenchmarkCase, Partition
from benchmarks.label_free import cross_validation, supervised_lung, trained_lung
from benchmarks.label_free.cross_validation import cross_validated_row
from benchmarks.label_free.lung_data import lung_sources
from benchmarks.label_free.lung_variants import NO_WEAK_LABEL, infer_by_slices, lung_position_prior, slice_overrides
from benchmarks.label_free.released import bundle_predict
from benchmarks.label_free.supervised_lung import flat_unet, labeled_cases
from benchmarks.label_free.trained_lung import trained_rows
from data_prep.phantom_dicom import write_ct_series
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.transforms import ConstrainToAird, KeepLargestComponentsd
from s3net_monai.utils.errors import DataError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three volumes, four slices and one series, laid out like the shared data."""
    root = tmp_path_factory.mktemp("data")
    (root / "lung/volumes").mkdir(parents=True)
    (root / "lung/slices64").mkdir()
    volume, truth = chest()
    affine = np.diag([-5.0, 5.0, 5.0, 1.0])
    for offset, name in enumerate(("id001", "id002", "id003")):  # equal images in two splits would be refused
        nibabel.save(nibabel.Nifti1Image(volume + np.int16(offset), affine), root / f"lung/volumes/{name}_ct.nii.gz")
        nibabel.save(nibabel.Nifti1Image(truth.astype(np.uint8), affine), root / f"lung/volumes/{name}_lung.nii.gz")
    slices = np.repeat((volume[:, :, :1] > -400).astype(np.uint8).T * 200, 4, axis=0)
    slices[:, 0, 0] = np.arange(4)
    np.savez(root / "lung/slices64/kaggle_lung_64.npz", image=slices, mask=slices < 100)
    training_patient = "a"  # the hash of this name puts it into the training section
    write_ct_series(volume, np.diag([5.0, 5.0, 5.0, 1.0]), root / "dicom/chest_A0001", case_id=training_patient)
    return root


def chest() -> tuple[np.ndarray, np.ndarray]:
    """A body in air with two lungs, (48, 48, 6) in HU, and its lungs."""
    x, y = np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 48), indexing="ij")
    lungs = ((np.abs(x) - 0.4) ** 2 / 0.04 + y**2 / 0.12) < 1
    plane = np.where(x**2 + y**2 < 0.8, np.where(lungs, -850, 40), -1000)
    return np.repeat(plane[..., None], 6, axis=2).astype(np.int16), np.repeat(lungs[..., None], 6, axis=2)


def training_images(folder: str) -> list[str]:
    return [Path(entry["image"]).name for entry in json.loads((Path(folder) / "datalist.json").read_text())["training"]]


def test_sources_are_the_training_part_without_left_out_volumes(data: Path, tmp_path: Path) -> None:
    volumes = lung_sources(data, tmp_path)[0]
    assert training_images(volumes) == ["id001_ct.nii.gz", "id002_ct.nii.gz"]
    fold, *other_sources = lung_sources(data, tmp_path, without=["id001"])
    assert training_images(fold) == ["id002_ct.nii.gz"]
    assert other_sources == lung_sources(data, tmp_path)[1:]
    assert training_images(volumes) == ["id001_ct.nii.gz", "id002_ct.nii.gz"]


def test_an_unknown_volume_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no volume id009"):
        lung_sources(data, tmp_path, without=["id009"])


def test_labeled_cases_are_those_with_a_mask(data: Path, tmp_path: Path) -> None:
    images = [str(case["image"]) for case in labeled_cases(lung_sources(data, tmp_path))]
    assert sum(image.endswith("id001_ct.nii.gz") for image in images) == 16
    assert not any("id003" in image or "chest" in image for image in images)
    assert sum(image.endswith(".png") for image in images) >= 1


def test_the_lung_position_prior_is_beside_the_midline() -> None:
    weight = lung_position_prior(torch.zeros(1, 51, 41, 3))
    assert weight.shape == (1, 51, 41, 3)
    assert torch.equal(weight, weight.flip(1))
    assert torch.equal(weight[..., 0], weight[..., 2])
    highest = int(weight[0, :25, 20, 0].argmax())
    assert highest == 15  # x = -0.4
    assert weight[0, 25, 20, 0] < 0.2 < weight[0, highest, 20, 0]


@pytest.mark.slow
def test_a_network_trained_on_slices_runs_on_volumes(data: Path, tmp_path: Path) -> None:
    shorter = {"max_epochs": 1, "epoch_length": 1, "batch_size": 2, "network_def#network#channels": [8, 8, 8, 8, 8]}
    settings = {
        "dataset_dir": lung_sources(data, tmp_path),
        **NO_WEAK_LABEL,
        **slice_overrides(bundle_root("lung")),
        **shorter,
    }
    folder = tmp_path / "flat"
    train_variant(bundle_root("lung"), settings, seed=0, folder=folder)
    infer_by_slices(folder)
    bundle = load_bundle("lung", folder, torch.device("cpu"))
    assert bundle.network.cluster_class.sum() == 1  # one cluster is lung
    partition = bundle_predict(bundle)(case(data, "id003"))
    assert partition.mask.shape == partition.clusters.shape == (48, 48, 6)


def test_rows_without_a_weak_label_ignore_the_air(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_lung, "lung_sources", lambda *_: [])
    monkeypatch.setattr(trained_lung, "train_variant", lambda *_, **__: None)
    monkeypatch.setattr(trained_lung, "infer_by_slices", lambda _: None)
    released = load_bundle("lung", bundle_root("lung"), torch.device("cpu"))
    monkeypatch.setattr(trained_lung, "load_bundle", lambda *_: released)
    monkeypatch.setattr(trained_lung, "bundle_predict", lambda bundle: bundle.postprocessing.transforms)
    rows = [row for row in trained_rows(tmp_path, tmp_path) if "no weak label" in row.name]
    assert len(rows) == 2
    for row in rows:
        kinds = [type(step) for step in row.prepare(0)]
        assert ConstrainToAird not in kinds
        assert KeepLargestComponentsd in kinds


def test_a_fold_segments_the_volume_it_was_not_trained_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def train(root: Path, overrides: dict, *, seed: int, folder: Path) -> None:
        trained.append((training_images(overrides["dataset_dir"][0]), overrides.get("max_epochs"), folder.name))

    def predictor(folder: str) -> object:
        return lambda case: Partition(case.truth, np.full(case.truth.shape, int(folder.split("-")[2][2:])))

    monkeypatch.setattr(cross_validation, "train_variant", train)
    monkeypatch.setattr(cross_validation, "load_bundle", lambda task, folder, device: folder.name)
    monkeypatch.setattr(cross_validation, "bundle_predict", predictor)
    predict = cross_validated_row(data, tmp_path, epochs=2).prepare(5)
    assert predict(case(data, "id002")).clusters.max() == 2
    assert predict(case(data, "id001")).clusters.max() == 1
    assert predict(case(data, "id003")).clusters.max() == 1
    assert trained == [
        (["id001_ct.nii.gz"], 2, "lung-without-id002-5"),
        (["id002_ct.nii.gz"], 2, "lung-without-id001-5"),
    ]


def test_unet_takes_slabs_of_eight_slices() -> None:
    assert flat_unet()(torch.zeros(1, 1, 32, 32, 8)).shape == (1, 2, 32, 32, 8)


@pytest.mark.slow
def test_supervised_training_runs_and_is_reused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised_lung, "EPOCHS", 1)
    monkeypatch.setattr(supervised_lung, "PATCH", (48, 48, 8))
    monkeypatch.setattr(supervised_lung, "VOLUME_REPEATS", 1)
    weights = tmp_path / "unet.pt"
    first = supervised_lung.supervised_lung(lung_sources(data, tmp_path), 0, weights)(case(data, "id003"))
    written = weights.stat().st_mtime_ns
    reused = supervised_lung.supervised_lung([], 0, weights)(case(data, "id003"))
    assert weights.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.mask, reused.mask)
    assert first.mask.shape == (48, 48, 6)


def test_row_names_are_unique(data: Path, tmp_path: Path) -> None:
    rows = trained_rows(data, tmp_path)
    assert len({row.name for row in rows}) == len(rows) == 5
    assert not list(tmp_path.iterdir())  # nothing is read or trained before a row is prepared


def case(data: Path, name: str) -> BenchmarkCase:
    return BenchmarkCase(
        case_id=name,
        split="volumes",
        image=data / f"lung/volumes/{name}_ct.nii.gz",
        truth=chest()[1],
        spacing=(5.0, 5.0, 5.0),
        unit="mm",
    )
