"""Plot of Dice over the number of labeled patients, one line per method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from s3net_monai.utils.atomic import atomic_path

# Color-blind readers can tell these apart (Okabe and Ito); the reference is black. There is one marker more than
# colors, so that rows of the same color have different markers.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_MARKERS = ("s", "^", "D", "v", "P", "X", "<")
_STYLES = {"from scratch": "--", "ablation": ":"}
_ABSENT: Mapping[str, Any] = {"mean": math.nan, "ci95": None}
_SHIFT = 0.05  # distance of neighboring lines in a column, so that their intervals do not overlap


def write_few_labels_plot(result: Mapping[str, Any], path: Path) -> Path | None:
    """Draw a result of ``run_few_labels`` as PNG.

    Returns the path, or None for a result without rows.
    """
    if not result["rows"]:
        return None
    with atomic_path(path) as temporary:
        FigureCanvasAgg(few_labels_figure(result)).print_figure(temporary, dpi=110)
    return path


def few_labels_figure(result: Mapping[str, Any]) -> Figure:
    """Draw mean Dice with its interval by column, one line per row.

    Published figures are crosses.
    """
    columns, rows = list(result["columns"]), result["rows"]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots()
    num_styled = 0
    for index, row in enumerate(rows):
        style: dict[str, Any]
        if row["name"] == result["references"][0]:
            style = {"color": "black", "marker": "o", "linewidth": 2.2, "zorder": 4}
        else:
            style = {
                "color": _COLORS[num_styled % len(_COLORS)],
                "marker": _MARKERS[num_styled % len(_MARKERS)],
                "linestyle": _STYLES.get(row["kind"], "-"),
            }
            num_styled += 1
        # NaN breaks the line at a missing cell
        dice = [row["cells"][column]["dice"] if column in row["cells"] else _ABSENT for column in columns]
        positions = [position + _SHIFT * (index - (len(rows) - 1) / 2) for position in range(len(columns))]
        means = [figures["mean"] for figures in dice]
        ends = [figures["ci95"] or [figures["mean"]] * 2 for figures in dice]
        below = [mean - low for mean, (low, _) in zip(means, ends, strict=True)]
        above = [high - mean for mean, (_, high) in zip(means, ends, strict=True)]
        axes.errorbar(positions, means, [below, above], elinewidth=0.8, markersize=5, label=row["name"], **style)
    for name, values in result["published"].items():
        published = [column for column in columns if column in values]
        axes.plot(
            [columns.index(column) for column in published],
            [values[column] for column in published],
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
