"""Markdown page of the label-free tables, with the three protocols kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.markdown import figure_link, number, spread_text, table
from benchmarks.common.splits import LUNG_TRAINING_VOLUMES

_LABEL_FREE = ("Dice (95 % CI)", "median", "below 0.5", "IoU", "HM", "XOR", "HD95", "surface distance", "p")
_COLUMNS = {
    "": ("method", "cases"),
    "label-free": _LABEL_FREE,
    "oracle cluster": ("Dice", "IoU"),
    "published protocol": ("Dice", "IoU"),
    " ": ("CPU seconds per image",),
}
_NOTES = """\
- **label-free**: no ground truth is used. **oracle cluster**: ground truth picks the cluster. **published protocol**:
  ground truth picks the cluster and clips it to its own outline, dilated twice by 5x5. Only the first can be had in
  practice. Methods without clusters of their own (U-Net, corrected per image) have two: their mask and its complement.
- Mean over cases, with its 95 % bootstrap confidence interval over cases from 5 cases on, and ± the standard deviation
  of the mean over seeds for methods with several. HM = 1 - IoU; XOR = |A xor B| / |B|, where B is the ground truth.
  HD95 and mean symmetric surface distance leave out cases with an empty mask, which has no surface to measure to.
- p: mean difference of the Dice from the best baseline of the split (in bold) on the same cases, and p of the paired
  two-sided Wilcoxon test, from 6 cases on."""

_SPLIT_NOTES = {
    LUNG_TRAINING_VOLUMES: "The training part contains these two volumes: without masks for the released weights, with "
    "masks for the supervised network. Of the trained rows only the cross-validated one was trained without the volume "
    "that it segments."
}


def label_free_page(result: Mapping[str, Any], plots: Mapping[str, Path]) -> str:
    """Return the page of a result of ``run_benchmark``.

    Args:
        result: numbers may be rounded.
        plots: paths of the figures "scores", "quality" and "robustness", as far as there are any.
    """
    model = result["model"]
    lines = [
        f"# Benchmark: {result['task']}",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}; released weights {model['name']} "
        f"{model['version']}, SHA-256 `{model['sha256'][:12]}`. The .json file beside this page has the values of "
        "every case.",
        "",
        _NOTES,
    ]
    for split, about in result["splits"].items():
        rows = [row for row in result["rows"] if split in row["splits"]]
        if rows:
            count = "1 case" if about["cases"] == 1 else f"{about['cases']} cases"
            lines += ["", f"## {split} ({count}, distances in {about['unit']})", ""]
            lines += _score_lines(rows, split)
        if rows and split in _SPLIT_NOTES:
            lines += ["", _SPLIT_NOTES[split]]
    lines += figure_link("Mean Dice under the three protocols", plots.get("scores"))
    lines += _quality_lines(result["rows"], plots.get("quality"))
    if "robustness" in result:
        lines += _robustness_lines(result["robustness"], plots.get("robustness"))
    if "ablation" in result:
        lines += _ablation_lines(result["ablation"])
    return "\n".join(lines) + "\n"


def _score_lines(rows: Sequence[Mapping[str, Any]], split: str) -> list[str]:
    groups = [cell for group, columns in _COLUMNS.items() for cell in [group.strip(), *[""] * (len(columns) - 1)]]
    names = [f"**{column}**" for columns in _COLUMNS.values() for column in columns]
    best = {against["name"] for row in rows if (against := row["splits"][split]["against_best_simple"])}
    return table(groups, [names, *(_score_cells(row, row["splits"][split], best) for row in rows)])


def _score_cells(row: Mapping[str, Any], figures: Mapping[str, Any], best: set[str]) -> list[str]:
    label_free, against = figures["label-free"], figures["against_best_simple"]
    interval = label_free["dice"]["ci95"]
    dice = number(label_free["dice"]["mean"])
    dice += f" ({number(interval[0])}-{number(interval[1])})" if interval else ""
    dice += spread_text(figures["seed_std"])
    test = "-"
    if against:
        test = f"{against['difference']:+.3f}, " + ("-" if against["p"] is None else f"{against['p']:.2g}")
    return [
        f"**{row['name']}**" if row["name"] in best else row["name"],
        str(label_free["dice"]["count"]),
        dice,
        number(label_free["dice"]["median"]),
        number(label_free["share_failed"]),
        *(number(label_free[name]["mean"]) for name in ("iou", "hm", "xor")),
        *(number(label_free[name]["mean"], 2) for name in ("hd95", "surface_distance")),
        test,
        *(
            number(figures[name][metric]["mean"])
            for name in ("oracle cluster", "published protocol")
            for metric in ("dice", "iou")
        ),
        number(figures["seconds"], 2),
    ]


def _quality_lines(rows: Iterable[Mapping[str, Any]], plot: Path | None) -> list[str]:
    cells = []
    for row in rows:
        for split, figures in row["splits"].items():
            if measured := figures.get("quality"):
                removed = measured["failures_removed"]
                cells.append(
                    [
                        f"{row['name']}, {split}",
                        str(measured["count"]),
                        number(measured["spearman"]),
                        str(measured["failures"]),
                        str(measured["failures_reviewed"]) + ("" if removed is None else f" ({removed:.0%})"),
                        number(measured["share_failed"]),
                        number(measured["share_failed_after"]),
                    ]
                )
    if not cells:
        return []
    header = ["", "cases", "Spearman with Dice", "Dice below 0.5", "of these in the worst-scored 10 %"]
    header += ["fraction below 0.5", "fraction after review"]
    return ["", "## Consistency score", "", *table(header, cells), *figure_link("Consistency score", plot)]


def _robustness_lines(robustness: Mapping[str, Any], plot: Path | None) -> list[str]:
    cells = [
        [
            f"{name}, {split}",
            str(figures["count"]),
            *(number(figures[key]) for key in ("mean", "p5", "min")),
            str(len(figures["below"])),
            number(figures["truth_mean"]),
        ]
        for split, measured in robustness.items()
        for name, figures in measured["exact"].items()
    ]
    text = "Dice of the masks of the transformed and of the original image, the former mapped back."
    header = ["", "cases", "mean", "5th percentile", "minimum", "below 0.97", "mean Dice with truth"]
    lines = ["", "## Robustness of the released weights", "", text, "", *table(header, cells)]
    return lines + figure_link("Agreement under rotation, scale, brightness and JPEG compression", plot)


def _ablation_lines(ablation: Sequence[Mapping[str, Any]]) -> list[str]:
    splits = list(ablation[0]["splits"])
    cells = [
        [entry["variant"], *(f"{number(dice['mean'])} ± {number(dice['std'])}" for dice in entry["splits"].values())]
        for entry in ablation
    ]
    seeds = len(ablation[0]["splits"][splits[0]]["seeds"])
    text = (
        "All variants are trained alike, on a reduced budget and with the S3-Net losses alone. Mean label-free Dice of "
        f"one view at the size of the network, ± its standard deviation over {seeds} seeds."
    )
    return ["", "## Ablation", "", text, "", *table(["", *splits], cells)]
