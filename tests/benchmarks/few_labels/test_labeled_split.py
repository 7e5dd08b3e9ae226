"""The whole benchmark of few labels on phantoms with tiny networks: parts, restarts and files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from monai.utils import set_determinism
from PIL import Image

from benchmarks.cli import main
from benchmarks.few_labels import run as few_labels
from benchmarks.few_labels.rows import REFERENCE, STRONG
from benchmarks.few_labels.run import prepare_study, run_few_labels
from benchmarks.few_labels.types import FewLabelsRow, Stage
from s3net_monai.data.datalist import load_sections
from tests.helpers.few_labels_toys import TINY, toy_study, write_acdc, write_curvas

ENCODER = Stage("pretrain-global", ("pretrain_global",), artifact="encoder.pt", labeled=False)
ROWS = (
    FewLabelsRow(REFERENCE, "from scratch", STRONG),
    FewLabelsRow("global contrast", "pre-trained", Stage("global", inputs={"pretrained": ENCODER})),
    FewLabelsRow("broken, on purpose", "ablation", Stage("broken", overrides={"loss#_target_": "NoSuchLoss"})),
)


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    """Undo the global seeding by the configs."""
    yield
    set_determinism(None)


@pytest.fixture(autouse=True)
def two_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_labels, "DRAWS", (0, 1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("data"))


@pytest.mark.slow
def test_a_table_is_made_in_parts(data: Path, tmp_path: Path) -> None:
    output, work, study = tmp_path / "docs" / "cardiac.json", tmp_path / "work", toy_study("cardiac")
    first = run_few_labels(
        study, data, output, work=work, names=["scratch-strong-augmentation"], labels=["1"], rows=ROWS
    )
    assert [row["name"] for row in first["rows"]] == [REFERENCE]
    assert list(first["rows"][0]["cells"]) == ["1"]
    os.utime(work / "stages" / "strong-augmentation" / "labels-1-draw-0" / "models" / "model.pt", (1, 1))

    result = run_few_labels(study, data, output, work=work, names=["global-contrast"], labels=["1"], rows=ROWS)
    cells = {row["name"]: row["cells"] for row in result["rows"]}
    assert cells[REFERENCE]["1"]["dice"] == first["rows"][0]["cells"]["1"]["dice"]
    assert cells["global contrast"]["1"]["draws"] == [0, 1]
    assert cells["global contrast"]["1"]["against"][REFERENCE]["draws"] == [0, 1]
    assert result["units"] == 1
    assert result["cases"] == 2
    stages = work / "stages"
    assert (stages / "strong-augmentation" / "labels-1-draw-0" / "models" / "model.pt").stat().st_mtime == 1
    assert [folder.name for folder in (stages / "pretrain-global").iterdir()] == ["no-labels"]
    assert not list(stages.rglob("checkpoint*.pt"))
    assert str(tmp_path) not in output.read_text()
    assert json.loads(output.read_text()) == result
    page = output.with_suffix(".md").read_text()
    assert f"| {REFERENCE} | 0." in page
    assert page.count(" | - |") >= 2  # nothing was trained with all labels
    with Image.open(output.with_suffix(".png")) as plot:
        assert min(plot.size) > 100


@pytest.mark.slow
def test_a_table_grows_without_its_first_work_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, study = tmp_path / "cardiac.json", toy_study("cardiac", columns=(1,))
    names = ["scratch-strong-augmentation", "global-contrast"]
    first = run_few_labels(study, data, output, work=tmp_path / "first", names=names[:1], rows=ROWS)
    result = run_few_labels(study, data, output, work=tmp_path / "second", names=names, rows=ROWS)
    assert not (tmp_path / "second" / "stages" / "strong-augmentation").exists()
    cells = {row["name"]: row["cells"]["1"] for row in result["rows"]}
    earlier = first["rows"][0]["cells"]["1"]
    assert {**cells[REFERENCE], "against": None} == {**earlier, "against": None}
    units = [cells[name]["units"]["patient071"] for name in ("global contrast", REFERENCE)]
    assert cells["global contrast"]["against"][REFERENCE]["difference"] == pytest.approx(units[0] - units[1], abs=1e-4)

    monkeypatch.setattr(few_labels, "DRAWS", (0, 1, 2))
    more = run_few_labels(study, data, output, work=tmp_path / "second", names=names[:1], rows=ROWS)
    assert more["rows"][0]["cells"]["1"]["draws"] == [0, 1, 2]  # a mean over two cannot become one over three

    monkeypatch.setattr(few_labels, "DRAWS", (0,))
    longer = replace(study, overrides={**study.overrides, "iterations": 4})
    retrained = run_few_labels(longer, data, output, work=tmp_path / "third", names=names[:1], rows=ROWS)
    assert [row["name"] for row in retrained["rows"]] == [REFERENCE]  # the cells of the others had other settings
    assert retrained["rows"][0]["cells"]["1"]["settings"] != earlier["settings"]
    assert (tmp_path / "third" / "stages" / "strong-augmentation").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"task": "abdomen", "rows": []}', "holds the table of abdomen, expected cardiac; name another output"),
        ('{"rows": 1}', "expected an earlier table of cardiac; remove it, or name another"),
        ("no JSON", "expected an earlier table of cardiac; remove it, or name another"),
    ],
)
def test_an_output_of_something_else_is_left_alone(data: Path, text: str, message: str, tmp_path: Path) -> None:
    output = tmp_path / "cardiac.json"
    output.write_text(text)
    with pytest.raises(ValueError, match=f"cardiac.json: {message}"):
        run_few_labels(toy_study("cardiac", columns=(1,)), data, output, work=tmp_path / "work", rows=ROWS[:1])
    assert output.read_text() == text
    assert not list((tmp_path / "work").rglob("*.pt"))


@pytest.mark.slow
def test_a_training_that_fails_leaves_the_others_alone(data: Path, tmp_path: Path) -> None:
    output, study = tmp_path / "cardiac.json", toy_study("cardiac", columns=(1,))
    names = ["broken-on-purpose", "scratch-strong-augmentation"]
    with pytest.raises(ValueError, match=r"(?s)lacks 2 scores.*broken, on purpose, labels 1, draw 1: .*NoSuchLoss"):
        run_few_labels(study, data, output, work=tmp_path / "work", names=names, rows=ROWS)
    assert [row["name"] for row in json.loads(output.read_text())["rows"]] == [REFERENCE]


@pytest.mark.slow
def test_slices_train_with_the_overlays_of_the_abdomen(tmp_path: Path) -> None:
    overrides = {**TINY, "field_of_view": [24, 40]}  # fewer columns and more rows than the image has
    study = toy_study("abdomen", columns=(1,), overrides=overrides)
    result = run_few_labels(
        study, write_curvas(tmp_path), tmp_path / "abdomen.json", work=tmp_path / "work", rows=ROWS[:2]
    )
    assert len(result["rows"]) == 2  # the second reads slices without labels, too
    cell = result["rows"][0]["cells"]["1"]
    assert list(cell["structures"]) == ["pancreas", "kidney", "liver"]
    assert list(cell["units"]) == ["10006_3_r2"]
    assert cell["structures"]["liver"]["masks"] == 2  # one slice, two draws


def test_validation_patients_are_for_training(data: Path, tmp_path: Path) -> None:
    patients = write_acdc(tmp_path, tuple(range(1, 20)))
    sections = load_sections(prepare_study(toy_study("cardiac"), patients, tmp_path / "list"))
    assert sections["validation"] == []
    assert len(sections["training"]) == 2 * 19
    prepared = load_sections(tmp_path / "list" / "prepared")
    assert prepared["validation"]  # otherwise this test would show nothing


@pytest.mark.parametrize(
    ("task", "extra", "message"),
    [
        ("cardiac", ["--labels", "3"], "--labels: no column '3' of cardiac; give some of 1,2,8,all"),
        ("abdomen", ["--rows", "otsu"], "no row 'otsu'; give some of scratch-weak-augmentation, scratch-strong"),
        ("skin", ["--labels", "1"], "skin: --labels is for cardiac and abdomen"),
    ],
)
def test_unknown_names_are_reported(
    task: str, extra: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [task, "--data", str(tmp_path), "--output", str(tmp_path / "x.json"), *extra]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_missing_data_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cardiac", "--output", str(tmp_path / "c.json")]) == 2
    assert "give the folder that holds cardiac/" in capsys.readouterr().err


def test_other_outputs_than_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"c.csv: expected a name that ends in .json"):
        run_few_labels(toy_study("cardiac"), tmp_path, tmp_path / "c.csv", work=tmp_path / "work")
