"""Plot of the speed benchmark: ratios above, growth of time and memory below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.speed.items import BEFORE, GROWTH, ITEMS
from s3net_monai.utils.atomic import atomic_path

# Color-blind readers can tell these apart (Okabe and Ito), and the line styles differ too.
_TIME, _MEMORY = "#0072b2", "#d55e00"


def write_speed_plot(result: Mapping[str, Any], path: Path) -> Path | None:
    """Draw a result of ``run_speed`` as PNG and return its path; None where there is nothing to draw."""
    rows = result["rows"]
    bars = [
        (item.title, row["ratios"][BEFORE][item.quantity], dict(item.ratios).get(BEFORE))
        for name, item in ITEMS.items()
        if BEFORE in (row := rows.get(name, {})).get("ratios", {})
    ]
    curves = {title: points for name, title in GROWTH.items() if (points := rows.get(name, {}).get("points"))}
    if not bars and not curves:
        return None
    figure = Figure(figsize=(10, 8), layout="constrained")
    grid = figure.add_gridspec(2, 1)
    above, below = (figure.add_subfigure(grid[row]) for row in range(2))  # each with margins of its own
    _draw_ratios(above.add_subplot(), bars)
    for column, (title, points) in enumerate(curves.items(), start=1):
        _draw_growth(below.add_subplot(1, len(curves), column), title, points)
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=100)
    return path


def _draw_ratios(axes: Axes, bars: list[tuple[str, Mapping[str, float], float | None]]) -> None:
    for row, (_, ratio, target) in enumerate(bars):
        median = ratio["median"]
        spread = [[median - ratio["least"]], [ratio["most"] - median]]
        axes.barh(row, median, color=_TIME, height=0.6, xerr=spread, ecolor="black")
        if target:
            axes.plot([target] * 2, [row - 0.4, row + 0.4], color=_MEMORY, linewidth=2)
    axes.set_yticks(range(len(bars)), [title for title, _, _ in bars])
    axes.invert_yaxis()
    axes.axvline(1, color="#999999", linestyle=":")
    axes.set(xlabel="times the time of this build that the build before takes; upright lines are targets")


def _draw_growth(axes: Axes, title: str, points: list[Mapping[str, Any]]) -> None:
    sizes = [point["size"] for point in points]
    axes.plot(sizes, [point["wall_seconds"] for point in points], "o-", color=_TIME, label="seconds")
    axes.set(xscale="log", ylim=(0, None), xlabel=title, ylabel="seconds, whole process")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    memory = axes.twinx()
    memory.plot(sizes, [point["peak_gb"] for point in points], "s--", color=_MEMORY, label="GB")
    memory.set(ylabel="memory in GB", ylim=(0, None))
    lines = [*axes.get_lines(), *memory.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], frameon=False)
