"""Figures of the label-free pages: scores, quality of the consistency score, robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.common.protocols import PROTOCOLS
from s3net_monai.utils.atomic import atomic_path

# Color-blind readers can tell these apart (Okabe and Ito), and lightness tells them apart in print.
_COLORS = dict(zip(PROTOCOLS, ("#0072b2", "#e69f00", "#cccccc"), strict=True))
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_ROW_HEIGHT, _WIDTH = 0.42, 5.2  # inches
_BAR_HEIGHT = 0.27  # of the distance of two rows

Rows = Sequence[Mapping[str, Any]]


def write_plots(result: Mapping[str, Any], output: Path) -> dict[str, Path]:
    """Draw a result of ``run_benchmark`` as PNG files beside ``output``.

    Returns the paths by the name of the figure.
    """
    figures: dict[str, Figure] = {}
    if result["rows"]:
        figures["scores"] = score_figure(result["rows"], list(result["splits"]))
    if scored := _scored(result["rows"]):
        figures["quality"] = quality_figure(scored)
    if any(figures["curves"] for figures in result.get("robustness", {}).values()):
        figures["robustness"] = robustness_figure(result["robustness"])
    paths = {}
    for name, figure in figures.items():
        paths[name] = output.with_name(f"{output.stem}_{name}.png")
        with atomic_path(paths[name]) as temporary:
            FigureCanvasAgg(figure).print_figure(temporary, dpi=110)
    return paths


def score_figure(rows: Rows, splits: Sequence[str]) -> Figure:
    """Draw the mean Dice of every row under the three protocols, one panel per split.

    Only the label-free protocol has intervals.
    """
    height = 1.3 + _ROW_HEIGHT * len(rows)
    figure = Figure(figsize=(2.2 + _WIDTH * len(splits) * 0.75, height), layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        _score_bars(axes, rows, split)
    panels[0].set_yticks(range(len(rows)), [row["name"] for row in rows])
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _score_bars(axes: Axes, rows: Rows, split: str) -> None:
    indices = [index for index, row in enumerate(rows) if split in row["splits"]]
    for offset, protocol in enumerate(PROTOCOLS, start=-1):
        dice = [rows[index]["splits"][split][protocol]["dice"] for index in indices]
        heights = np.array(indices, dtype=np.float64) + offset * _BAR_HEIGHT
        means = [entry["mean"] for entry in dice]
        axes.barh(heights, means, _BAR_HEIGHT, color=_COLORS[protocol], label=protocol, zorder=2)
        if protocol == "label-free":
            ends = np.array([entry["ci95"] or [entry["mean"]] * 2 for entry in dice]).reshape(-1, 2)
            axes.errorbar(means, heights, xerr=abs(ends.T - means), fmt="none", color="black", linewidth=1, zorder=3)
            for mean, height in zip(means, heights, strict=True):
                axes.annotate(f"{mean:.3f}", (0.01, height), va="center", color="white", fontsize=7, zorder=4)
    axes.set(title=split, xlim=(0, 1), xlabel="mean Dice")
    axes.grid(axis="x", color="#dddddd", zorder=0)


def quality_figure(scored: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Figure:
    """Draw Dice over consistency above risk over coverage, one column per row and split."""
    figure = Figure(figsize=(3.8 * len(scored), 7), layout="constrained")
    panels = figure.subplots(2, len(scored), squeeze=False)
    for column, (name, split, figures) in enumerate(scored):
        measured, scatter, curve = figures["quality"], panels[0, column], panels[1, column]
        cases = figures["cases"]
        scatter.scatter(cases["consistency"], cases["label-free"]["dice"], s=10, alpha=0.6, color=_LINES[0])
        scatter.axhline(0.5, color="#999999", linestyle=":")
        spearman = measured["spearman"]
        note = "" if spearman is None else f", Spearman {spearman:.2f}"
        scatter.set(title=f"{name}\n{split}{note}", xlabel="consistency", ylabel="label-free Dice", ylim=(-0.02, 1.02))
        scatter.locator_params(axis="x", nbins=5)
        risk = measured["risk_coverage"]
        curve.plot(risk["coverage"], risk["risk"], color=_LINES[0], label="worst consistency left out first")
        curve.axhline(risk["risk"][-1], color="#999999", linestyle=":", label="all cases")
        best = np.sort(1 - np.array(cases["label-free"]["dice"]))
        ideal = np.cumsum(best) / np.arange(1, len(best) + 1)
        curve.plot(risk["coverage"], ideal, color="#999999", linewidth=1, label="worst Dice left out first")
        curve.set(xlabel="coverage: fraction of retained cases", ylabel="risk: 1 - mean Dice", xlim=(0, 1.02))
        curve.set_ylim(bottom=0)
        curve.legend(fontsize=7, frameon=False)
    return figure


def robustness_figure(robustness: Mapping[str, Any]) -> Figure:
    """Draw the agreement of the masks over the strength of each corruption.

    Lines are means, dashed lines 5th percentiles.
    """
    names = list(dict.fromkeys(name for figures in robustness.values() for name in figures["curves"]))
    figure = Figure(figsize=(3.6 * len(names), 3.8), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for color, (split, figures) in zip(_LINES, robustness.items(), strict=False):
            points = sorted(figures["curves"].get(name, []), key=lambda point: point["value"])
            values = [point["value"] for point in points]
            axes.plot(values, [point["mean"] for point in points], "o-", markersize=3, color=color, label=split)
            axes.plot(values, [point["p5"] for point in points], "--", linewidth=1, color=color)
        axes.set(xlabel=name, ylim=(0, 1.02))
        axes.grid(color="#dddddd")
    panels[0].set_ylabel("Dice with the unchanged image's mask\n(dashed: 5th percentile)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def _scored(rows: Rows) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return name, split and figures of released weights with a measured consistency score."""
    return [
        (row["name"], split, figures)
        for row in rows
        for split, figures in row["splits"].items()
        if row["kind"] == "released" and "quality" in figures
    ]
