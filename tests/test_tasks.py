"""The task registry, and a fourth task added as ``docs/add_a_task.md`` says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai import tasks
from s3net_monai.cli import main
from s3net_monai.inference import Case, Settings, UsageError, find_cases, load_bundle, run_batch
from s3net_monai.inference import bundle as bundle_module
from s3net_monai.inference.dicomweb.search import SeriesOnServer, choose_series
from s3net_monai.inference.info import describe, format_info
from s3net_monai.inference.report.measures import measures
from s3net_monai.inference.report.previews import outline_color, preview
from s3net_monai.inference.run.validate_input import check_input
from s3net_monai.io import CaseError
from s3net_monai.monailabel.served import make_app
from s3net_monai.tasks import TASKS, Task, get_task
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "add_a_task.md").read_text(encoding="utf-8")
AFFINE = np.diag([-2.0, -2.0, 2.0, 1.0])
BACKGROUND_HU, LIVER_HU, TUMOR_HU = -100, 60, 200


def code_block(language: str) -> str:
    """Return the first code block of the page in this language."""
    match = re.search(rf"^```{re.escape(language)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert match is not None
    return match[1]


@pytest.fixture
def liver(monkeypatch: pytest.MonkeyPatch) -> Task:
    """The registry entry of the page, registered for one test."""
    names: dict[str, Any] = dict(vars(tasks))
    exec(code_block("python"), names)
    task: Task = names["LIVER"]
    monkeypatch.setitem(TASKS, task.name, task)
    return task


@pytest.fixture
def liver_bundle(liver: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle folder of the page, with weights that find liver above 50 HU and tumor above 150 HU."""
    root = tmp_path / "bundles" / liver.bundle
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    for name in ("inference.json", "metadata.json"):
        (root / "configs" / name).write_text(code_block(f"json {name}"), encoding="utf-8")
    weight = torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1, 1)
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -50.0, -200.0])}, root / "models" / "model.pt")
    monkeypatch.setattr(bundle_module, "BUNDLE_FOLDERS", (root.parent,))
    return root


@pytest.fixture
def volume(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A CT volume with a liver of 960 and a tumor of 40 voxels, and its mask."""
    mask = np.zeros((24, 20, 12), dtype=np.uint8)
    mask[4:14, 5:15, 1:11] = 1
    mask[6:10, 6:11, 5:7] = 2
    image = np.choose(mask, (BACKGROUND_HU, LIVER_HU, TUMOR_HU)).astype(np.int16)
    path = tmp_path / "in" / "a.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(image, AFFINE), path)
    return path, mask


# The registry


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_entries_agree_with_the_bundles(task: Task) -> None:
    metadata = json.loads((ROOT / "bundle" / task.bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    formats = metadata["network_data_format"]
    image = formats["inputs"]["image"]
    assert (image["modality"], image["num_channels"]) == (task.modality, task.channels)
    assert formats["outputs"]["pred"]["channel_def"] == task.channel_def
    assert TASKS[task.name] is task
    assert set(task.special_measures) <= {label.name for label in task.labels}


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="task 'spleen' is not known; give one of lung, skin, cardiac"):
        get_task("spleen")


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, s3net_monai.command_line; print('torch' in sys.modules, 'monai' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]


# A fourth task


def test_a_fourth_task_is_segmented(
    liver: Task, liver_bundle: Path, volume: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, mask = volume
    bundle = load_bundle("liver", bundle_module.bundle_root("liver"), torch.device("cpu"))
    assert bundle.task == liver
    output = tmp_path / "out"
    settings = Settings(formats=("nifti", "segnrrd"), workers=0)
    report = run_batch(find_cases([path]).cases, bundle, output, settings=settings)
    case = report.cases["a"]
    assert case.status == "ok", case.reason
    np.testing.assert_array_equal(np.asarray(nib.load(output / "a_seg.nii.gz").dataobj), mask)
    assert case.consistency == 1.0
    assert case.measures["volume_ml"] == {"liver": 7.68, "tumor": 0.32}
    assert case.measures["mean_hu"] == {"liver": float(LIVER_HU), "tumor": float(TUMOR_HU)}
    with Image.open(output / "a_preview.jpg") as drawing:
        assert drawing.width == 640
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "<h1>Liver segmentation</h1>" in page
    assert all("#{:02x}{:02x}{:02x}".format(*outline_color(label.rgb)) in page for label in liver.labels)
    assert "tumor" in (output / "labels.csv").read_text(encoding="utf-8")


def test_a_fourth_task_runs_on_the_command_line(
    liver_bundle: Path, volume: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (8, 8)).save(volume[0].parent / "slice.png")
    words = ["segment", str(volume[0].parent), "--task", "liver", "--output", str(tmp_path / "out")]
    assert main([*words, "--workers", "0", "--device", "cpu"]) == 0
    assert "2 ok, 0 failed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    assert "liver: a CT volume of the abdomen" in " ".join(capsys.readouterr().out.split())


def test_a_fourth_task_has_previews_in_its_style(liver: Task) -> None:
    image = np.full((20, 20, 20), 50, dtype=np.int16)  # the middle of its window
    empty = np.zeros(image.shape, np.uint8)
    assert preview(image, empty, affine=np.eye(4), task=liver).getpixel((100, 5)) == (127, 127, 127)
    lower = replace(liver, preview=replace(liver.preview, window=(50.0, 90.0), planes="slices"))
    assert preview(image, empty, affine=np.eye(4), task=lower).getpixel((100, 5)) == (0, 0, 0)


def test_special_measures_are_those_of_the_label(liver: Task) -> None:
    mask = np.ones((4, 4), dtype=np.uint8)
    mask[1:3, 1:3] = 2
    assert set(measures(mask, np.eye(4), liver)) == {"area_px", "fraction"}
    shaped = replace(liver, special_measures={"tumor": ("lesion_shape",)})
    assert set(measures(mask, np.eye(4), shaped)["asymmetry"]) == {"tumor"}


def test_a_fourth_task_is_described(liver_bundle: Path) -> None:
    details = describe()["tasks"]["liver"]
    assert details["labels"] == {"liver": 1, "tumor": 2}
    assert details["bundle"] == "liver_ct_segmentation"
    assert "task liver: liver, tumor; liver_ct_segmentation 0.1.0" in format_info(describe())


def test_a_fourth_task_fetches_its_modalities(liver: Task) -> None:
    ct = SeriesOnServer(uid="1.1", number=1, modality="CT", count=30)
    mr = SeriesOnServer(uid="1.2", number=2, modality="MR", count=30)
    selected, excluded = choose_series([ct, mr], "liver", "http://127.0.0.1")
    assert selected == [ct]
    assert [series.reason for series in excluded] == ["not CT, which task liver expects"]


def test_a_fourth_task_refuses_what_it_cannot_take(liver: Task) -> None:
    with pytest.raises(CaseError, match="this task expects a CT volume of the abdomen"):
        check_input(Case(case_id="a", input=Path("a.dcm"), image=(Path("a.dcm"),), kind="dicom_vl_image"), liver)


def test_a_fourth_task_can_be_served(liver_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to serve for liver"):  # corrections need a fine_tune.json
        make_app(tmp_path / "app", ["liver"])
    for name in ("fine_tune", "train"):
        (liver_bundle / "configs" / f"{name}.json").write_text("{}", encoding="utf-8")
    assert make_app(tmp_path / "app", ["liver"]) == ["liver_ct_segmentation"]
