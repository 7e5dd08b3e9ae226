"""Stages: their settings and inputs, and that no two processes train one."""

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

from benchmarks.common.work_folder import BusyError, folder_lock
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
from benchmarks.few_labels.scores import cached_scores, score_cell
from benchmarks.few_labels.stages import (
    BENCHMARK_CONFIGS,
    folder_of,
    merged,
    merged_config,
    run_stage,
    settings_of,
    trainings_of,
)
from benchmarks.few_labels.types import Cell, FewLabelsRow, RunContext, Stage
from s3net_monai.data.datalist import load_datalist
from s3net_monai.inference.bundle import bundle_root
from s3net_monai.transforms import upside_down_axes
from tests.helpers.few_labels_toys import toy_study, write_acdc, write_curvas

ONE = Cell(1, 0)
HOLD = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    """Undo the global seeding by the configs."""
    yield
    set_determinism(None)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_acdc(tmp_path_factory.mktemp("data"))
    return prepare_study(toy_study("cardiac"), data, data / "list")


@pytest.fixture
def context(dataset: Path, tmp_path: Path) -> RunContext:
    return RunContext(
        study=toy_study("cardiac"), bundle_root=bundle_root("cardiac"), dataset=dataset, work=tmp_path / "work"
    )


def test_every_row_has_its_overlays(context: RunContext) -> None:
    for row in ROWS:
        assert settings_of(row.stage, Cell(2, 0), context)["num_labeled_patients"] == 2, row.name


def test_settings_depend_on_configs_and_draws_and_no_path(context: RunContext, tmp_path: Path) -> None:
    settings = settings_of(IDEAL, ONE, context)
    assert str(tmp_path) not in str(settings)
    assert str(context.bundle_root) not in str(settings)
    (encoder,) = settings["inputs"]["pretrained"]
    other_draw = settings_of(IDEAL, Cell(1, 1), context)
    assert other_draw["inputs"]["pretrained"] == [encoder]  # label-free: once for all draws
    assert other_draw != settings

    other = tmp_path / "bundle"
    shutil.copytree(context.bundle_root / "configs", other / "configs")
    moved = replace(context, bundle_root=other)
    assert settings_of(IDEAL, ONE, moved) == settings
    overlay = other / "configs" / "pretrain_ideal.json"
    overlay.write_text(overlay.read_text().replace('"learning_rate": 0.001', '"learning_rate": 0.002'))
    assert settings_of(IDEAL, ONE, moved) != settings
    assert settings_of(STRONG, ONE, moved) == settings_of(STRONG, ONE, context)


def test_folds_need_two_labeled_patients(context: RunContext) -> None:
    stage = semantic("semantic", mask_only=False)
    assert set(settings_of(stage, ONE, context)["inputs"]) == {"pretrained", "coarse_model"}
    assert len(settings_of(stage, Cell(2, 0), context)["inputs"]["coarse_models"]) == 2
    assert len(settings_of(stage, Cell(None, 0), context)["inputs"]["coarse_models"]) == 2


def test_overrides_of_the_study_win(context: RunContext) -> None:
    config = merged_config(Stage("x", overrides={"iterations": 7, "seed": 3}), context)
    assert config["iterations"] == 2
    assert config["seed"] == 3


def test_the_iteration_factor_applies_to_the_study(context: RunContext) -> None:
    assert merged_config(replace(STRONG, iteration_factor=4), context)["iterations"] == 8
    assert settings_of(replace(STRONG, iteration_factor=4), ONE, context) != settings_of(STRONG, ONE, context)


def test_each_round_of_self_training_has_the_one_before(context: RunContext) -> None:
    last = self_training((0.4, 0.6))
    assert (last.name, last.overrides["fraction"]) == ("self-train-2", 0.6)
    first = last.inputs["teacher"]
    assert isinstance(first, Stage)
    assert (first.name, first.overrides["fraction"], first.inputs["teacher"]) == ("self-train-1", 0.4, LONG)
    assert [training["stage"] for training in trainings_of(last, context)] == [
        LONG.name,
        "self-train-1",
        "self-train-2",
    ]


def test_a_missing_overlay_is_named(context: RunContext) -> None:
    with pytest.raises(ValueError, match=r"cardiac_mr_segmentation: no configs/none.json; add it"):
        run_stage(Stage("x", ("none",)), ONE, context)


@pytest.mark.slow
def test_only_an_unfinished_stage_is_trained_again(context: RunContext) -> None:
    artifact = run_stage(STRONG, ONE, context)
    os.utime(artifact, (1, 1))
    assert run_stage(STRONG, ONE, context) == artifact
    assert artifact.stat().st_mtime == 1
    (artifact.parents[1] / "settings.json").unlink()
    run_stage(STRONG, ONE, context)
    assert artifact.stat().st_mtime > 1


SMALL_NNUNET = replace(NNUNET, overrides={"network_def#filters": [4, 4, 4, 4, 4]})


@pytest.mark.slow
@pytest.mark.parametrize("stage", [WEAK, SMALL_NNUNET, semantic("semantic", mask_only=True)])
def test_overlays_of_the_benchmark_train_and_segment(stage: Stage, context: RunContext) -> None:
    entries = score_cell(FewLabelsRow("x", "from scratch", stage), ONE, context)
    assert len(entries) == 2
    assert set(entries[0]) == {"case_id", "RV", "MYO", "LV"}


OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = np.array([[-0.96, 0, 0.28], [0.168, 0.8, 0.576], [0.224, -0.6, 0.768]]) @ np.diag([1.4, 1.5, 8.0])
OBLIQUE[:3, 3] = (5, 0, 7)


@pytest.mark.parametrize(("task", "affine"), [("cardiac", None), ("cardiac", OBLIQUE), ("abdomen", None)])
def test_training_and_inference_see_the_same_image(task: str, affine: np.ndarray | None, tmp_path: Path) -> None:
    sizes = {"field_of_view": [24, 28], "spatial_size": [16, 20]}
    study = replace(STUDIES[task], overrides=sizes)
    write = write_acdc if task == "cardiac" else write_curvas
    dataset = prepare_study(study, write(tmp_path), tmp_path / "list")
    root = bundle_root("cardiac").with_name(study.bundle)
    context = RunContext(study=study, bundle_root=root, dataset=dataset, work=tmp_path)
    case = load_datalist(dataset, "training", labels=True)[0]
    if affine is not None:
        assert upside_down_axes(affine) == [1]
        for path in (case["image"], case["label"]):
            voxels = np.asanyarray(nibabel.load(path).dataobj)
            nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    training = ConfigParser(merged_config(STRONG, context))
    inference = ConfigParser(merged(context, "inference", overlays=[], overrides=sizes))
    trained = training.get_parsed_content("train#read_volume")(case)
    inferred = inference.get_parsed_content("preprocessing")({"image": case["image"]})
    assert trained["image"].shape[1:3] == tuple(training["spatial_size"])
    assert float(trained["image"].std()) > 0.5
    assert trained["label"].shape == trained["image"].shape
    torch.testing.assert_close(torch.as_tensor(trained["image"]), inferred["image"].as_tensor())


def test_training_and_inference_have_the_same_nnunet() -> None:
    trained = json.loads((BENCHMARK_CONFIGS / "nnunet_like.json").read_text())["network_def"]
    inferring = json.loads((BENCHMARK_CONFIGS / "nnunet_like_inference.json").read_text())["network_def"]
    assert inferring == {**trained, "in_channels": 1, "out_channels": 4}


@pytest.mark.slow
def test_scores_outlive_their_weights(context: RunContext) -> None:
    row = FewLabelsRow("x", "from scratch", STRONG)
    entries = score_cell(row, ONE, context)
    shutil.rmtree(folder_of(STRONG, ONE, context) / "models")
    assert score_cell(row, ONE, context) == entries
    assert cached_scores(row, Cell(1, 1), context) is None


@pytest.fixture
def held(context: RunContext) -> Iterator[Path]:
    """The folder of a stage that another process works on."""
    folder = folder_of(STRONG, ONE, context)
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(folder / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield folder
        process.kill()


def test_no_two_processes_train_one_stage(held: Path, context: RunContext) -> None:
    with pytest.raises(BusyError):
        run_stage(STRONG, ONE, context, wait=False)
    dependent = Stage("x", inputs={"pretrained": STRONG})
    with pytest.raises(BusyError):
        run_stage(dependent, ONE, context, wait=False)
    with folder_lock(held.with_name("other"), wait=False):
        assert not (held / "models").exists()


def test_a_process_does_unlocked_stages_before_it_waits(
    context: RunContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[str, bool]] = []

    def score(row: FewLabelsRow, cell: Cell, context: RunContext, wait: bool) -> None:
        calls.append((row.name, wait))
        if row.name == "held" and not wait:
            raise BusyError

    monkeypatch.setattr("benchmarks.few_labels.run.score_cell", score)
    rows = [FewLabelsRow(name, "from scratch", STRONG) for name in ("held", "unlocked")]
    assert run_jobs([(row, ONE) for row in rows], context) == []
    assert calls == [("held", False), ("unlocked", False), ("held", False), ("held", True)]
