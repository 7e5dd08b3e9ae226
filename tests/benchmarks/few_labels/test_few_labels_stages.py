"""Stages: what makes two of them equal, which inputs they take, and that no two processes train one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from benchmarks.few_labels.rows import (
    IDEAL,
    LONG,
    NNUNET,
    ROWS,
    STRONG,
    STUDIES,
    WEAK,
    self_training,
    semantic,
)
from benchmarks.few_labels.run import prepare_study, run_jobs
from benchmarks.few_labels.scores import kept_scores, score_cell
from benchmarks.few_labels.stages import (
    BENCHMARK_CONFIGS,
    BusyError,
    folder_of,
    merged,
    merged_config,
    run_stage,
    settings_of,
    stage_lock,
    trainings_of,
)
from benchmarks.few_labels.types import Cell, FewLabelsRow, Place, Stage
from s3net_monai.data.datalist import load_datalist
from s3net_monai.inference.bundle import bundle_root
from s3net_monai.transforms import upside_down_axes
from tests.helpers.few_labels_toys import toy_study, write_acdc, write_curvas

ONE = Cell(1, 0)
HOLD = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"


@pytest.fixture(autouse=True)
def random_again() -> Iterator[None]:
    """Undo the seeding of the configs, which is global."""
    yield
    set_determinism(None)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_acdc(tmp_path_factory.mktemp("data"))
    return prepare_study(toy_study("cardiac"), data, data / "list")


@pytest.fixture
def place(dataset: Path, tmp_path: Path) -> Place:
    return Place(toy_study("cardiac"), bundle_root("cardiac"), dataset, tmp_path / "work")


def test_every_row_has_its_overlays(place: Place) -> None:
    for row in ROWS:
        assert settings_of(row.stage, Cell(2, 0), place)["num_labeled_patients"] == 2, row.name


def test_settings_tell_configs_and_draws_apart_and_hold_no_path(place: Place, tmp_path: Path) -> None:
    settings = settings_of(IDEAL, ONE, place)
    assert str(tmp_path) not in str(settings)
    assert str(place.bundle_root) not in str(settings)
    assert settings_of(IDEAL, Cell(1, 1), place) != settings
    (encoder,) = settings["inputs"]["pretrained"]
    assert settings_of(IDEAL, Cell(1, 1), place)["inputs"]["pretrained"] == [encoder]  # label-free: once for all draws

    other = tmp_path / "bundle"
    shutil.copytree(place.bundle_root / "configs", other / "configs")
    moved = Place(place.study, other, place.dataset, place.work)
    assert settings_of(IDEAL, ONE, moved) == settings
    overlay = other / "configs" / "pretrain_ideal.json"
    overlay.write_text(overlay.read_text().replace('"learning_rate": 0.001', '"learning_rate": 0.002'))
    assert settings_of(IDEAL, ONE, moved) != settings
    assert settings_of(STRONG, ONE, moved) == settings_of(STRONG, ONE, place)


def test_folds_need_two_labeled_patients(place: Place) -> None:
    stage = semantic("semantic", mask_only=False)
    assert set(settings_of(stage, ONE, place)["inputs"]) == {"pretrained", "coarse_model"}
    assert len(settings_of(stage, Cell(2, 0), place)["inputs"]["coarse_models"]) == 2
    assert len(settings_of(stage, Cell(None, 0), place)["inputs"]["coarse_models"]) == 2


def test_overrides_of_the_study_win(place: Place) -> None:
    config = merged_config(Stage("x", overrides={"iterations": 7, "seed": 3}), place)
    assert config["iterations"] == 2
    assert config["seed"] == 3


def test_a_longer_training_has_more_of_the_iterations_that_the_study_gives(place: Place) -> None:
    assert merged_config(replace(STRONG, times=4), place)["iterations"] == 8
    assert settings_of(replace(STRONG, times=4), ONE, place) != settings_of(STRONG, ONE, place)


def test_each_round_of_self_training_learns_from_the_one_before(place: Place) -> None:
    last = self_training((0.4, 0.6))
    assert (last.name, last.overrides["share"]) == ("self-train-2", 0.6)
    first = last.inputs["teacher"]
    assert isinstance(first, Stage)
    assert (first.name, first.overrides["share"], first.inputs["teacher"]) == ("self-train-1", 0.4, LONG)
    assert [each["stage"] for each in trainings_of(last, place)] == [LONG.name, "self-train-1", "self-train-2"]


def test_a_missing_overlay_is_named(place: Place) -> None:
    with pytest.raises(ValueError, match=r"cardiac_mr_segmentation: no configs/none.json; add it"):
        run_stage(Stage("x", ("none",)), ONE, place)


def test_an_unfinished_stage_is_trained_again_and_a_finished_one_is_not(place: Place) -> None:
    product = run_stage(STRONG, ONE, place)
    os.utime(product, (1, 1))
    assert run_stage(STRONG, ONE, place) == product
    assert product.stat().st_mtime == 1
    (product.parents[1] / "settings.json").unlink()
    run_stage(STRONG, ONE, place)
    assert product.stat().st_mtime > 1


SMALL_NNUNET = replace(NNUNET, overrides={"network_def#filters": [4, 4, 4, 4, 4]})


@pytest.mark.parametrize("stage", [WEAK, SMALL_NNUNET, semantic("semantic", mask_only=True)])
def test_overlays_of_the_benchmark_train_and_segment(stage: Stage, place: Place) -> None:
    entries = score_cell(FewLabelsRow("x", "from scratch", stage), ONE, place)
    assert len(entries) == 2
    assert set(entries[0]) == {"case_id", "RV", "MYO", "LV"}


OBLIQUE = [[-1.0, -0.2, 3.0, 5.0], [0.8, 1.1, 4.0, 0.0], [0.6, -1.0, 6.0, 7.0], [0.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize(("task", "affine"), [("cardiac", None), ("cardiac", OBLIQUE), ("abdomen", None)])
def test_training_and_inference_see_the_same_image(task: str, affine: list | None, tmp_path: Path) -> None:
    sizes = {"field_of_view": [24, 28], "spatial_size": [16, 20]}
    study = replace(STUDIES[task], overrides=sizes)
    write = write_acdc if task == "cardiac" else write_curvas
    dataset = prepare_study(study, write(tmp_path), tmp_path / "list")
    place = Place(study, bundle_root("cardiac").with_name(study.bundle), dataset, tmp_path)
    case = load_datalist(dataset, "training", labels=True)[0]
    if affine is not None:
        assert upside_down_axes(np.array(affine)) == [1]
        for path in (case["image"], case["label"]):
            voxels = np.asanyarray(nibabel.load(path).dataobj)
            nibabel.save(nibabel.Nifti1Image(voxels, np.array(affine)), path)
    training = ConfigParser(merged_config(STRONG, place))
    inference = ConfigParser(merged(place, "inference", [], sizes))
    trained = training.get_parsed_content("train#read_volume")(case)
    inferred = inference.get_parsed_content("preprocessing")({"image": case["image"]})
    assert trained["image"].shape[1:3] == tuple(training["spatial_size"])
    assert float(trained["image"].std()) > 0.5
    assert trained["label"].shape == trained["image"].shape
    torch.testing.assert_close(torch.as_tensor(trained["image"]), inferred["image"].as_tensor())


def test_the_nnunet_that_is_trained_is_the_one_that_infers() -> None:
    trained = json.loads((BENCHMARK_CONFIGS / "nnunet_like.json").read_text())["network_def"]
    inferring = json.loads((BENCHMARK_CONFIGS / "nnunet_like_inference.json").read_text())["network_def"]
    assert inferring == {**trained, "in_channels": 1, "out_channels": 4}


def test_scores_outlive_their_weights(place: Place) -> None:
    row = FewLabelsRow("x", "from scratch", STRONG)
    entries = score_cell(row, ONE, place)
    shutil.rmtree(folder_of(STRONG, ONE, place) / "models")
    assert score_cell(row, ONE, place) == entries
    assert kept_scores(row, Cell(1, 1), place) is None


@pytest.fixture
def held(place: Place) -> Iterator[Path]:
    """The folder of a stage that another process is at."""
    folder = folder_of(STRONG, ONE, place)
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(folder / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield folder
        process.kill()


def test_no_two_processes_train_one_stage(held: Path, place: Place) -> None:
    with pytest.raises(BusyError):
        run_stage(STRONG, ONE, place, wait=False)
    dependent = Stage("x", inputs={"pretrained": STRONG})
    with pytest.raises(BusyError):
        run_stage(dependent, ONE, place, wait=False)
    with stage_lock(held.with_name("other"), wait=False):
        assert not (held / "models").exists()


def test_a_process_goes_on_with_what_is_free_and_then_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[str, bool]] = []

    def score(row: FewLabelsRow, cell: Cell, place: Place, wait: bool) -> None:
        calls.append((row.name, wait))
        if row.name == "held" and not wait:
            raise BusyError

    monkeypatch.setattr("benchmarks.few_labels.run.score_cell", score)
    rows = [FewLabelsRow(name, "from scratch", STRONG) for name in ("held", "free")]
    assert run_jobs([(row, ONE) for row in rows], place) == []
    assert calls == [("held", False), ("free", False), ("held", False), ("held", True)]
