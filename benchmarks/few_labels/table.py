"""The result of the few-label benchmark as a page: Dice by labeled patients, differences, structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.markdown_table import number, table

Row = Mapping[str, Any]


def few_labels_markdown(result: Mapping[str, Any], plot: Path | None) -> str:
    """The page of a result of `run_few_labels`; cells without scores hold a hyphen."""
    unit, columns, rows = result["unit"], result["columns"], result["rows"]
    lines = [
        f"# Few labels: {result['task']}",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}. Single values: the .json file beside "
        "this page.",
        "",
        *_notes(result),
        "",
        "## Mean Dice by number of labeled patients",
        "",
        *table(["method", *columns], [*_dice_rows(rows, columns), *_published_rows(result)]),
    ]
    if plot is not None:
        lines += ["", f"![Mean Dice by number of labeled patients]({plot.name})"]
    for name in result["references"]:
        if any(row["name"] == name for row in rows):
            lines += ["", f"## Difference from {name}", ""]
            lines += table(["method", *columns], _difference_rows(rows, columns, name))
    for column in columns:
        if any(column in row["cells"] for row in rows):
            labeled = "All patients labeled" if column == "all" else f"Labeled patients: {column}"
            lines += ["", f"## {labeled}", "", *_structure_table(rows, column, result["structures"])]
    lines += [
        "",
        "## Trainings",
        "",
        "Iterations times batch, labeled and as many unlabeled images where both are used.",
        "",
    ]
    lines += table(["method", "stages"], [[row["name"], _stages(result["trainings"][row["name"]])] for row in rows])
    lines += ["", f"Report part: {result['cases']} cases of {result['units']} {unit}s."]
    return "\n".join(lines) + "\n"


def _notes(result: Mapping[str, Any]) -> list[str]:
    unit = result["unit"]
    return [
        *(f"- {note}" for note in result["notes"]),
        f"- A cell: mean over structures, cases, draws and {unit}s; its 95 % bootstrap interval over {unit}s; ± the "
        f"standard deviation over draws of the labeled patients, {len(result['draws'])} where nothing else is said. "
        "The draw's number also seeds the training. Nothing but the training's length ends it: no label chooses "
        "weights.",
        f"- Differences: mean over the same {unit}s and draws, its bootstrap interval, and p of the paired two-sided "
        "Wilcoxon test, not corrected for the number of rows.",
        "- HD95 and ASD (mean symmetric surface distance) in voxels, over masks that are not empty; missing: share of "
        "masks without a structure that is there.",
    ]


def _dice_rows(rows: Sequence[Row], columns: Sequence[str]) -> list[list[str]]:
    most = max((len(cell["draws"]) for row in rows for cell in row["cells"].values()), default=0)
    return [[row["name"], *(_dice(row["cells"].get(column), most) for column in columns)] for row in rows]


def _dice(cell: Mapping[str, Any] | None, draws: int) -> str:
    if cell is None:
        return "-"
    dice, count = cell["dice"], len(cell["draws"])
    spread = f" ± {number(dice['draw_std'])}" if dice["draw_std"] is not None else ""
    fewer = f" ({count} draw{'s' if count > 1 else ''})" if count < draws else ""
    return f"{number(dice['mean'])}{_interval(dice['ci95'])}{spread}{fewer}"


def _interval(ends: Sequence[float] | None, sign: str = "") -> str:
    return "" if ends is None else f" ({ends[0]:{sign}.3f} to {ends[1]:{sign}.3f})"


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
    found = None if cell is None else cell["against"][reference]
    if found is None:
        return "-"
    p = "" if found["p"] is None else f", p = {found['p']:.2g}"
    return f"{found['difference']:+.3f}{_interval(found['ci95'], '+')}{p}"


def _stages(trainings: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{each['stage']} {each['iterations']} x {each['batch_size']}" for each in trainings)


def _structure_table(rows: Sequence[Row], column: str, structures: Sequence[str]) -> list[str]:
    header = ["method"]
    header += [f"{name} {what}" for name in structures for what in ("Dice", "HD95", "ASD", "missing")]
    cells = [
        [row["name"], *(text for name in structures for text in _structure(row["cells"][column]["structures"][name]))]
        for row in rows
        if column in row["cells"]
    ]
    return table(header, cells)


def _structure(found: Mapping[str, Any]) -> list[str]:
    return [
        number(found["dice"]["mean"]),
        number(found["hd95"]["mean"], 1),
        number(found["surface_distance"]["mean"], 2),
        number(found["missing"] / found["masks"], 2),
    ]
