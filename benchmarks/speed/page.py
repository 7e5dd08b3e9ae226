"""Markdown page of the speed benchmark: targets, all numbers, phases, growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.markdown import table
from benchmarks.speed.alternate import median_of
from benchmarks.speed.items import BEFORE, GROWTH, ITEMS, LUNGMASK, MAX_GROWTH, THIS, Item

Rows = Mapping[str, Any]
_SIDES = {BEFORE: "the build before", LUNGMASK: "lungmask"}
_UNITS = {"wall_seconds": "", "cpu_seconds": " of CPU", "step_seconds": "", "case_seconds": ""}


def speed_page(result: Mapping[str, Any], plot: Path | None) -> str:
    """Return the page of a result of ``run_speed``.

    Args:
        result: of ``run_speed``.
        plot: path of the plot as seen from the page.
    """
    rows, machine = result["rows"], result["machine"]
    lines = [
        "# Speed and memory",
        "",
        f"Made by `{result['command']}` on {machine['cores']} processor cores, with PyTorch {machine['torch']}. "
        f"*Before* is the build at commit `{result['before'][:7]}`, in an environment of its own. All sides of an item "
        "run one after the other in rounds, so that a ratio compares neighbors in time. A ratio says how many times "
        "as much the other side takes; it is the median over the rounds, with the least and the most. Seconds are "
        "those of whole processes, with the start, if nothing else is said; CPU seconds and memory are those of a "
        "process and all that it starts. Memory is the largest sum of their proportional set sizes.",
        "",
        "## Targets",
        "",
        *_targets(rows),
        *_plot(plot),
        "",
        "## All numbers",
        "",
        "Medians over the runs. *Floor* is reading the same files with SimpleITK or Pillow and writing a mask, without "
        "a network, checks, previews or a report; its seconds of reading and writing are among the phases below.",
        "",
        *_numbers(rows),
        "",
        "## Phases",
        "",
        "Seconds by phase, summed over the cases of a run. Cases are read ahead while the network runs, so that with "
        "several cases the phases overlap. *Start* is what a run takes beside its cases: imports, weights, the search "
        "for cases and the end. *Infer* is the network with postprocessing; runs in one process, without a report, "
        "tell them apart.",
        "",
        *_phases(rows),
        *_lungmask_note(rows),
        *_growth(rows),
        *_failures(rows),
        "",
        "## Run it",
        "",
        "`make benchmark-speed DATA=...` or the command above; with 2 cores it takes about half an hour, and `--rows "
        "ct,picture` measures some items and keeps the others of the file. The first run also makes the environments "
        "of the build before and of lungmask in the work folder (`--work`), with pip. Without `--data`, phantoms of "
        "the same size stand in for PH2 and ACDC. The machine has to be quiet. `make bench-check` counts the "
        "instructions of three small inputs instead, and needs no quiet machine ([contributing](../CONTRIBUTING.md)).",
    ]
    return "\n".join(lines) + "\n"


def _targets(rows: Rows) -> list[str]:
    cells = []
    for name, item in ITEMS.items():
        row = rows.get(name, {})
        if THIS in row.get("runs", {}):
            cells += _targets_of(item, row)
    cells += _growth_target(rows)
    return table(["work", "against", "this build", "the other", "ratio", "to reach", "reached"], cells)


def _targets_of(item: Item, row: Mapping[str, Any]) -> list[list[str]]:
    runs, cells = row["runs"], []
    this = _seconds(runs[THIS], item.quantity) + _UNITS[item.quantity]
    for side, least in item.ratios:
        if side in row["ratios"]:
            ratio = row["ratios"][side][item.quantity]
            other = _seconds(runs[side], item.quantity) + _UNITS[item.quantity]
            aim = f", aim {item.aim:g}" if item.aim and side == BEFORE else ""
            reached = _yes(ratio["median"] >= least)
            cells.append([item.title, _SIDES[side], this, other, _spread(ratio), f"{least:g} times{aim}", reached])
    if item.seconds is not None:
        taken = median_of(runs[THIS], item.quantity)
        reached = _yes(taken is not None and taken <= item.seconds)
        other, ratio = _seconds(runs.get(BEFORE, []), item.quantity), row["ratios"].get(BEFORE, {}).get(item.quantity)
        cells.append([item.title, _SIDES[BEFORE], this, other, _spread(ratio), f"{item.seconds:g} s", reached])
    if item.gigabytes is not None:
        peak = median_of(runs[THIS], "peak_gb")
        ratio = row["ratios"].get(BEFORE, {}).get("peak_gb")
        reached = _yes(peak is not None and peak <= item.gigabytes)
        cells.append(
            [
                f"{item.title}: memory",
                _SIDES[BEFORE],
                _gigabytes(runs[THIS]),
                _gigabytes(runs.get(BEFORE, [])),
                _spread(ratio),
                f"{item.gigabytes:g} GB",
                reached,
            ]
        )
    return cells


def _growth_target(rows: Rows) -> list[list[str]]:
    peaks = {point["size"]: point["peak_gb"] for point in rows.get("growth-slices", {}).get("points", [])}
    if not {300, 1500} <= set(peaks):
        return []
    ratio = peaks[1500] / peaks[300]
    return [
        [
            "CT of 1,500 slices: memory",
            "300 slices",
            f"{peaks[1500]:.2f} GB",
            f"{peaks[300]:.2f} GB",
            f"{ratio:.2f}",
            f"{MAX_GROWTH:g} at most",
            _yes(ratio <= MAX_GROWTH),
        ]
    ]


def _numbers(rows: Rows) -> list[str]:
    cells = []
    for name, item in ITEMS.items():
        for side, runs in rows.get(name, {}).get("runs", {}).items():
            single = "step_seconds" if "step_seconds" in runs[0] else "case_seconds"
            cells.append(
                [
                    item.title,
                    side,
                    str(len(runs)),
                    _seconds(runs, "wall_seconds"),
                    _seconds(runs, "cpu_seconds"),
                    _seconds(runs, single),
                    _gigabytes(runs),
                ]
            )
    return table(["work", "side", "runs", "time", "CPU time", "one step or case", "memory"], cells)


def _phases(rows: Rows) -> list[str]:
    with_phases = [
        (item.title, side, [run["phases"] for run in runs])
        for name, item in ITEMS.items()
        for side, runs in rows.get(name, {}).get("runs", {}).items()
        if "phases" in runs[0]
    ]
    names = list(dict.fromkeys(phase for _, _, runs in with_phases for run in runs for phase in run))
    cells = [[title, side, *(_seconds(runs, phase) for phase in names)] for title, side, runs in with_phases]
    return table(["work", "side", *names], cells)


def _lungmask_note(rows: Rows) -> list[str]:
    runs = rows.get("ct", {}).get("runs", {}).get(LUNGMASK)
    if not runs:
        return []
    clean_up = median_of([run["phases"] for run in runs], "clean-up") or 0.0
    return [
        "",
        f"lungmask runs R231 with random weights, which need no download. Its clean-up of {clean_up:.1f} s depends on "
        "the mask that they give, and differs with trained weights; the other phases do not depend on them.",
    ]


def _growth(rows: Rows) -> list[str]:
    lines: list[str] = []
    for name, title in GROWTH.items():
        points = rows.get(name, {}).get("points")
        if points:
            cells = [
                [
                    f"{point['size']:,}",
                    f"{point['wall_seconds']:.1f} s",
                    f"{point['cpu_seconds']:.1f} s",
                    f"{point['case_seconds']:.2f} s",
                    f"{point['peak_gb']:.2f} GB",
                ]
                for point in points
            ]
            lines += ["", f"## Growth: {title}", "", *table([title, "time", "CPU time", "one case", "memory"], cells)]
    return lines


def _failures(rows: Rows) -> list[str]:
    failed = [(name, side, text) for name, row in rows.items() for side, text in row.get("failed", {}).items()]
    failures = [f"- {name}, {side}: {text}" for name, side, text in failed]
    return ["", "## Not measured", "", *failures] if failures else []


def _plot(plot: Path | None) -> list[str]:
    return [] if plot is None else ["", f"![Ratios to this build, and growth]({plot.as_posix()})"]


def _seconds(runs: Sequence[Mapping[str, Any]], quantity: str) -> str:
    value = median_of(runs, quantity)
    return "-" if value is None else f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def _gigabytes(runs: Sequence[Mapping[str, Any]]) -> str:
    value = median_of(runs, "peak_gb")
    return "-" if value is None else f"{value:.2f} GB"


def _spread(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
