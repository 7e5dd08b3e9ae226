"""Markdown page of the few-label tables: Dice by labeled patients and by structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.markdown import figure_link, interval_text, number, p_text, spread_text, table

Row = Mapping[str, Any]


def few_labels_page(result: Mapping[str, Any], plot: Path | None) -> str:
    """Return the page of a result of ``run_few_labels``; cells without scores have a hyphen."""
    unit, columns, rows = result["unit"], result["columns"], result["rows"]
    lines = [
        f"# Few labels: {result['task']}",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}. The .json file beside this page has the "
        "values of every patient or slice.",
        "",
        *_notes(result),
        "",
        "## Mean Dice by number of labeled patients",
        "",
        *table(["method", *columns], [*_dice_rows(rows, columns), *_published_rows(result)]),
        *figure_link("Mean Dice by number of labeled patients", plot),
    ]
    for name in result["references"]:
        if any(row["name"] == name for row in rows):
            lines += ["", f"## Difference from {name}", ""]
            lines += table(["method", *columns], _difference_rows(rows, columns, name))
    for column in columns:
        if any(column in row["cells"] for row in rows):
            title = "All patients labeled" if column == "all" else f"Labeled patients: {column}"
            lines += ["", f"## {title}", "", *_structure_table(rows, column, result["structures"])]
    lines += [
        "",
        "## Trainings",
        "",
        "Iterations times batch size. A training on labeled and unlabeled images has as many unlabeled ones per batch "
        "in addition.",
        "",
    ]
    lines += table(["method", "stages"], [[row["name"], _stages(result["trainings"][row["name"]])] for row in rows])
    lines += ["", f"Report part: {result['cases']} cases of {result['units']} {unit}s."]
    return "\n".join(lines) + "\n"


def _notes(result: Mapping[str, Any]) -> list[str]:
    unit = result["unit"]
    return [
        *(f"- {note}" for note in result["notes"]),
        f"- Each cell is the mean over structures, cases, draws and {unit}s, its 95 % bootstrap interval over {unit}s, "
        f"and ± the standard deviation over draws of the labeled patients, {len(result['draws'])} unless stated "
        "otherwise. The number of the draw also seeds the training. Every training has a fixed length: no label "
        "chooses weights.",
        f"- Differences: mean over the same {unit}s and draws, its bootstrap interval, and p of the paired two-sided "
        "Wilcoxon test, not corrected for the number of rows.",
        "- HD95 and ASD (mean symmetric surface distance) are in voxels, over masks that are not empty. missing: "
        "fraction of masks without a structure that the ground truth has.",
    ]


def _dice_rows(rows: Sequence[Row], columns: Sequence[str]) -> list[list[str]]:
    max_draws = max((len(cell["draws"]) for row in rows for cell in row["cells"].values()), default=0)
    return [[row["name"], *(_dice(row["cells"].get(column), max_draws) for column in columns)] for row in rows]


def _dice(cell: Mapping[str, Any] | None, max_draws: int) -> str:
    if cell is None:
        return "-"
    dice, count = cell["dice"], len(cell["draws"])
    note = f" ({count} draw{'s' if count > 1 else ''})" if count < max_draws else ""
    return f"{number(dice['mean'])}{interval_text(dice['ci95'])}{spread_text(dice['draw_std'])}{note}"


def _published_rows(result: Mapping[str, Any]) -> list[list[str]]:
    return [
        [f"*{name}*", *(number(values.get(column)) for column in result["columns"])]
        for name, values in result["published"].items()
    ]


def _difference_rows(rows: Sequence[Row], columns: Sequence[str], reference: str) -> list[list[str]]:
    return [
        [row["name"], *(_difference(row["cells"].get(column), reference) for column in columns)]
        for row in rows
        if row["name"] != reference
    ]


def _difference(cell: Mapping[str, Any] | None, reference: str) -> str:
    against = None if cell is None else cell["against"][reference]
    if against is None:
        return "-"
    return f"{against['difference']:+.3f}{interval_text(against['ci95'], '+')}{p_text(against['p'])}"


def _stages(trainings: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{stage['stage']} {stage['iterations']} x {stage['batch_size']}" for stage in trainings)


def _structure_table(rows: Sequence[Row], column: str, structures: Sequence[str]) -> list[str]:
    header = ["method"]
    header += [f"{name} {metric}" for name in structures for metric in ("Dice", "HD95", "ASD", "missing")]
    cells = [
        [row["name"], *(text for name in structures for text in _structure(row["cells"][column]["structures"][name]))]
        for row in rows
        if column in row["cells"]
    ]
    return table(header, cells)


def _structure(figures: Mapping[str, Any]) -> list[str]:
    return [
        number(figures["dice"]["mean"]),
        number(figures["hd95"]["mean"], 1),
        number(figures["surface_distance"]["mean"], 2),
        number(figures["missing"] / figures["masks"], 2),
    ]
