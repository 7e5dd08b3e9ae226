"""Figures of the few-label table against values by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.few_labels.page import few_labels_page
from benchmarks.few_labels.plot import few_labels_figure, write_few_labels_plot
from benchmarks.few_labels.results import cell_figures, few_labels_results
from benchmarks.few_labels.rows import STRONG
from benchmarks.few_labels.scores import structure_metrics
from benchmarks.few_labels.types import FewLabelsRow, column_name
from tests.helpers.few_labels_toys import toy_study

NAMES = {1: "RV", 2: "MYO", 3: "LV"}
ROWS = [FewLabelsRow("base", "from scratch", STRONG), FewLabelsRow("other", "ours", STRONG)]


def case(case_id: str, dice: float, hd95: float | None = 1.0) -> dict[str, Any]:
    metrics = {"hd95": hd95, "surface_distance": hd95, "missing": hd95 is None}
    # the three structures differ, and their mean is `dice`
    return {
        "case_id": case_id,
        **{name: {"dice": dice + 0.1 * (value - 2), **metrics} for value, name in NAMES.items()},
    }


def patients(dice: float, step: float = 0.0) -> list[dict[str, Any]]:
    """Six patients of two frames; their Dice rises by ``step`` from one to the next, and differs by frame."""
    return [
        case(f"patient{number:03d}_frame{frame:02d}", dice + step * number + 0.02 * sign)
        for number in range(6)
        for frame, sign in ((1, -1), (9, 1))
    ]


def results(scores: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    study = toy_study("cardiac", **changes)
    cells = {
        name: {column_name(patients): cell_figures(draws, study) for patients, draws in columns.items()}
        for name, columns in scores.items()
    }
    return few_labels_results(ROWS, cells, ["base", "other"])


def test_structures_of_one_case() -> None:
    truth, mask = np.zeros((4, 4, 3), int), np.zeros((4, 4, 3), int)
    truth[0, 0, 0] = truth[1, 0, 0] = 1
    mask[0, 0, 0] = 1
    mask[3, 3, 2] = 2  # where none is
    metrics = structure_metrics(mask, truth, NAMES)
    assert metrics["RV"]["dice"] == pytest.approx(2 / 3)
    assert metrics["RV"]["surface_distance"] == pytest.approx((0 + 0 + 1) / 3)
    assert not metrics["RV"]["missing"]
    assert metrics["MYO"] == {"dice": 0, "hd95": None, "surface_distance": None, "missing": False}
    assert metrics["LV"] == {"dice": 1, "hd95": None, "surface_distance": None, "missing": False}
    assert structure_metrics(truth * 0, truth, NAMES)["RV"]["missing"]


def test_means_are_over_draws_frames_and_patients() -> None:
    scores = {"base": {1: {0: patients(0.5), 1: patients(0.7)}}}
    cell = results(scores)[0]["cells"]["1"]
    assert cell["dice"]["mean"] == pytest.approx(0.6)
    assert cell["dice"]["draw_means"] == pytest.approx([0.5, 0.7])
    assert cell["dice"]["draw_std"] == pytest.approx(0.2 / np.sqrt(2))
    assert cell["units"] == pytest.approx({f"patient{number:03d}": 0.6 for number in range(6)})
    assert cell["structures"]["LV"]["dice"]["mean"] == pytest.approx(0.7)
    # all patients are alike once frames and draws are averaged, so there is nothing to be uncertain about
    assert cell["dice"]["ci95"] == pytest.approx([0.6, 0.6])
    assert cell["against"] == {"other": None}


def test_rows_of_the_same_draws_are_compared() -> None:
    scores = {
        "base": {1: {0: patients(0.4, 0.01), 2: patients(0.6, 0.01)}, 2: {0: patients(0.5), 1: patients(0.5)}},
        "other": {1: {0: patients(0.7, 0.02), 2: patients(0.5, 0.02)}, 2: {0: patients(0.5)}},
    }
    cells = results(scores)[1]["cells"]
    metrics = cells["1"]["against"]["base"]
    assert metrics["draws"] == [0, 2]
    assert metrics["count"] == 6
    assert metrics["difference"] == pytest.approx(0.1 + 0.01 * 2.5)
    assert metrics["p"] == pytest.approx(2 / 2**6)
    assert 0.1 < metrics["ci95"][0] < metrics["difference"] < metrics["ci95"][1] < 0.15
    assert cells["2"]["against"]["base"] is None  # the reference's second draw has other labeled patients


def test_slices_are_units_of_their_own() -> None:
    cell = results({"base": {1: {0: patients(0.5)}}}, unit="slice")[0]["cells"]["1"]
    assert len(cell["units"]) == 12


def test_missing_structures_count_and_have_no_distances() -> None:
    entries = [case("patient001_a", 0.5, 4.0), case("patient002_a", 0.2, None), case("patient003_a", 0.5, 2.0)]
    cell = results({"base": {1: {0: entries}}})[0]["cells"]["1"]
    assert cell["structures"]["RV"]["hd95"] == {"count": 2, "mean": 3.0, "ci95": None}
    assert (cell["structures"]["RV"]["missing"], cell["structures"]["RV"]["masks"]) == (1, 3)
    assert cell["hd95"] == pytest.approx(3.0)
    none = results({"base": {1: {0: [case("patient001_a", 0.0, None)]}}})[0]["cells"]["1"]
    assert none["hd95"] is None


def page_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": "cardiac",
        "command": "python -m benchmarks cardiac",
        "package_version": "0",
        "unit": "patient",
        "cases": 12,
        "units": 6,
        "structures": list(NAMES.values()),
        "columns": ["1", "all"],
        "draws": [0, 1],
        "references": ["base", "other"],
        "trainings": {
            "base": [{"stage": "base", "iterations": 10, "batch_size": 4}],
            "other": [
                {"stage": "encoder", "iterations": 5, "batch_size": 16},
                {"stage": "other", "iterations": 10, "batch_size": 4},
            ],
        },
        "published": {"a paper": {"1": 0.738}},
        "notes": ["where the data come from"],
        "rows": rows,
    }


def test_page_and_plot_show_what_is_there(tmp_path: Path) -> None:
    scores = {
        "base": {1: {0: patients(0.5), 1: patients(0.7)}, None: {0: patients(0.8)}},
        "other": {1: {0: patients(0.6), 1: patients(0.8)}},
    }
    result = page_of(results(scores))
    plot = write_few_labels_plot(result, tmp_path / "cardiac.png")
    page = few_labels_page(result, plot)
    assert "| base | 0.600 (0.600 to 0.600) ± 0.141 | 0.800 (0.800 to 0.800) (1 draw) |" in page
    assert "| other | 0.700 (0.700 to 0.700) ± 0.141 | - |" in page
    assert "| *a paper* | 0.738 | - |" in page
    assert "| other | +0.100 (+0.100 to +0.100), p = 0.031 | - |" in page
    assert "| base | -0.100 (-0.100 to -0.100), p = 0.031 | - |" in page
    assert "| other | encoder 5 x 16, other 10 x 4 |" in page
    assert "| base | 0.700 | 1.0 | 1.00 | 0.00 | 0.800 |" in page
    assert "## All patients labeled" in page
    assert "![Mean Dice by number of labeled patients](cardiac.png)" in page
    (axes,) = few_labels_figure(result).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "all"]
    assert len(axes.containers) == 2


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    result = page_of(results({}))
    assert write_few_labels_plot(result, tmp_path / "cardiac.png") is None
    assert "![" not in few_labels_page(result, None)
