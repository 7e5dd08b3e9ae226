"""Dice against labeled patients: a line a method, those from scratch beside those that use unlabeled images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from s3net_monai.utils.atomic import atomic_path

# told apart by color-blind readers (Okabe and Ito); the reference is black, and markers repeat what colors say;
# one marker more than colors, so that rows of one color differ in it
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_MARKERS = ("s", "^", "D", "v", "P", "X", "<")
_STYLES = {"from scratch": "--", "ablation": ":"}
_ABSENT: Mapping[str, Any] = {"mean": math.nan, "ci95": None}
_SHIFT = 0.05  # between the lines of one column, so that their intervals can be told apart


def write_few_labels_plot(result: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the result of `run_few_labels` as PNG; None where it has no row."""
    if not result["rows"]:
        return None
    with atomic_path(path) as temporary:
        FigureCanvasAgg(few_labels_figure(result)).print_figure(temporary, dpi=110)
    return path


def few_labels_figure(result: Mapping[str, Any]) -> Figure:
    """Mean Dice with its interval by column, a line a row; published figures as crosses."""
    columns, rows = list(result["columns"]), result["rows"]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots()
    others = 0
    for index, row in enumerate(rows):
        look: dict[str, Any]
        if row["name"] == result["references"][0]:
            look = {"color": "black", "marker": "o", "linewidth": 2.2, "zorder": 4}
        else:
            look = {
                "color": _COLORS[others % len(_COLORS)],
                "marker": _MARKERS[others % len(_MARKERS)],
                "linestyle": _STYLES.get(row["kind"], "-"),
            }
            others += 1
        # NaN breaks the line where there is no cell
        dice = [row["cells"][column]["dice"] if column in row["cells"] else _ABSENT for column in columns]
        places = [place + _SHIFT * (index - (len(rows) - 1) / 2) for place in range(len(columns))]
        means = [each["mean"] for each in dice]
        ends = [each["ci95"] or [each["mean"]] * 2 for each in dice]
        below = [mean - low for mean, (low, _) in zip(means, ends, strict=True)]
        above = [high - mean for mean, (_, high) in zip(means, ends, strict=True)]
        axes.errorbar(places, means, [below, above], elinewidth=0.8, markersize=5, label=row["name"], **look)
    for name, values in result["published"].items():
        known = [column for column in columns if column in values]
        axes.plot(
            [columns.index(column) for column in known],
            [values[column] for column in known],
            "x",
            color="#666666",
            markersize=9,
            zorder=5,
            label=name,
        )
    axes.set_xticks(range(len(columns)), columns)
    axes.set(xlabel="labeled patients", ylabel=f"mean Dice (95 % interval over {result['unit']}s)")
    axes.grid(axis="y", color="#dddddd")
    figure.legend(loc="outside right upper", frameon=False)
    return figure
