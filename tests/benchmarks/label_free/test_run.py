"""The whole command on phantoms with toy rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cli import main
from benchmarks.common.output import rounded_numbers
from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free import run
from data_prep.phantom_skin import skin_phantom


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four images of PH2 and six of ISIC in the layout of the real data."""
    names = [("skin/ph2", f"IMD{4 * index:03d}") for index in range(1, 5)]
    names += [("skin/isic2018/val", f"ISIC_{index}") for index in range(6)]
    for seed, (folder, name) in enumerate(names):
        image, truth = skin_phantom((24, 16), seed)
        for part, array, ending in (("images", image, "jpg"), ("masks", truth * np.uint8(255), "png")):
            path = tmp_path / "data" / folder / part / f"{name}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return tmp_path / "data"


def everything(seed: int) -> Predict:
    return lambda case: Partition(np.ones_like(case.truth), np.zeros(case.truth.shape, np.uint8))


def flawed_truth(seed: int) -> Predict:
    """The truth with a fraction of flipped pixels that grows with the seed, and a score of that fraction."""
    random = np.random.default_rng(seed)

    def predict(case: BenchmarkCase) -> Partition:
        fraction = random.uniform(0.0, 0.1 * (seed + 1))
        mask = case.truth ^ (random.random(case.truth.shape) < fraction)
        return Partition(mask, mask.astype(np.uint8), consistency=1 - fraction)

    return predict


ROWS = [
    Row("everything foreground", "simple", everything),
    Row("worse, on purpose", "simple", lambda seed: lambda case: Partition(case.truth & False, case.truth.astype(int))),
    Row("flawed truth (released)", "released", flawed_truth, seeds=(0, 1, 2)),
    Row("PH2 alone", "per-image", everything, every=2, splits=("PH2",)),
]


@pytest.fixture
def toy_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_rows", lambda task, data, work: ROWS)
    monkeypatch.setattr(
        run, "_PARTS", {"robustness": lambda *_, **__: {"PH2": ROBUSTNESS}, "ablation": lambda *_, **__: ABLATION}
    )


FIGURES = {"count": 4, "mean": 0.99, "p5": 0.98, "min": 0.9, "truth_mean": 0.8}
ROBUSTNESS = {
    "cases": 4,
    "curve_cases": 4,
    "truth_mean": 0.8,
    "exact": {"quarter turn": {**FIGURES, "below": ["IMD004"]}},
    "curves": {"scale": [{"value": 1.4, **FIGURES}, {"value": 0.7, **FIGURES}]},
}
ABLATION = [
    {"variant": "full", "overrides": {}, "splits": {"PH2": {"mean": 0.86, "std": 0.012, "seeds": [0.85, 0.87]}}}
]


@pytest.mark.slow
@pytest.mark.usefixtures("toy_rows")
def test_one_command_writes_table_numbers_and_plots(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, work = tmp_path / "docs" / "skin.json", tmp_path / "work"
    assert main(["skin", "--data", str(data), "--output", str(output), "--work", str(work)]) == 0
    assert sorted(path.name for path in output.parent.iterdir()) == [
        "skin.json",
        "skin.md",
        "skin_quality.png",
        "skin_robustness.png",
        "skin_scores.png",
    ]
    for plot in output.parent.glob("*.png"):
        with Image.open(plot) as opened:
            assert min(opened.size) > 100
    result = json.loads(output.read_text())
    assert str(tmp_path) not in output.read_text()
    assert [row["name"] for row in result["rows"]] == [row.name for row in ROWS]
    assert result["splits"] == {"PH2": {"cases": 4, "unit": "px"}, "ISIC 2018 val": {"cases": 6, "unit": "px"}}
    trained = result["rows"][2]["splits"]["ISIC 2018 val"]
    assert len(trained["seed_means"]) == 3
    assert np.std(trained["seed_means"], ddof=1) == pytest.approx(trained["seed_std"], rel=1e-3)
    assert trained["against_best_simple"]["name"] == "everything foreground"
    assert trained["against_best_simple"]["p"] == pytest.approx(2 / 2**6, rel=1e-3)
    assert trained["label-free"]["dice"]["mean"] == pytest.approx(
        np.mean(trained["cases"]["label-free"]["dice"]), rel=1e-4
    )
    assert trained["quality"]["spearman"] is not None
    assert result["rows"][0]["splits"]["PH2"]["against_best_simple"] is None
    assert list(result["rows"][3]["splits"]) == ["PH2"]
    assert result["rows"][3]["splits"]["PH2"]["label-free"]["dice"]["count"] == 2
    page = output.with_suffix(".md").read_text()
    assert capsys.readouterr().out == page + "\n"
    assert "| **everything foreground** | 4 |" in page
    assert "| full | 0.860 ± 0.012 |" in page
    assert "| quarter turn, PH2 | 4 | 0.990 | 0.980 | 0.900 | 1 | 0.800 |" in page
    assert "![Agreement under rotation, scale, brightness and JPEG compression](skin_robustness.png)" in page


@pytest.mark.usefixtures("toy_rows")
def test_a_partial_run_has_only_the_requested_rows(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "skin.json"
    result = run.run_benchmark("skin", data, output, work=tmp_path / "work", names=["flawed-truth-released"])
    assert [row["name"] for row in result["rows"]] == ["flawed truth (released)"]
    assert "robustness" not in result
    assert result["command"].endswith("--output skin.json --rows flawed-truth-released")


@pytest.mark.usefixtures("toy_rows")
def test_an_unknown_row_lists_the_known_ones(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["skin", "--data", str(data), "--output", str(tmp_path / "s.json"), "--rows", "otsu"]
    assert main(arguments) == 2
    assert "no row 'otsu'; give some of everything-foreground, worse-on-purpose" in capsys.readouterr().err


def test_missing_data_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lung", "--output", str(tmp_path / "lung.json")]) == 2
    assert "lung: --data is missing" in capsys.readouterr().err


def test_other_outputs_than_json_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"skin.csv: expected a name that ends in .json"):
        run.run_benchmark("skin", data, tmp_path / "skin.csv", work=tmp_path / "work")


def test_a_missing_package_is_reported_before_the_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_MODULES", ("matplotlib", "no_such_package"))
    with pytest.raises(ValueError, match=r"no_such_package is not installed; run in the checkout: pip install"):
        run.run_benchmark("skin", data, tmp_path / "skin.json", work=tmp_path / "work")


def test_numbers_keep_significant_digits() -> None:
    rounded = rounded_numbers({"p": 0.0000123456789, "dice": [0.123456789, None, 3], "name": "x"})
    assert rounded == {"p": 0.000012346, "dice": [0.12346, None, 3], "name": "x"}
