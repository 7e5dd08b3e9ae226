"""The result as a page: a table for every split, its three protocols kept apart, and the plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.cases import VOLUME_SPLITS
from benchmarks.common.markdown_table import number, table

_LABEL_FREE = ("Dice (95 % CI)", "median", "below 0.5", "IoU", "HM", "XOR", "HD95", "surface distance", "p")
_COLUMNS = {
    "": ("method", "cases"),
    "label-free": _LABEL_FREE,
    "oracle cluster": ("Dice", "IoU"),
    "published protocol": ("Dice", "IoU"),
    " ": ("CPU seconds an image",),
}
_NOTES = """\
- **label-free**: nothing sees ground truth. **oracle cluster**: ground truth picks the cluster. **published
  protocol**: ground truth picks the cluster and clips it to its own outline, dilated twice by 5x5. Only the first can
  be had in use. A method without clusters of its own (U-Net, corrected per image) has its mask and the rest for two.
- Mean over cases, with its 95 % bootstrap confidence interval over cases where there are at least 5, and ± the standard
  deviation of the mean over seeds where there are several. HM = 1 - IoU; XOR = |A xor B| / |B|, B the truth. HD95 and
  mean symmetric surface distance leave out cases with an empty mask, as there is no surface to measure to.
- p: paired two-sided Wilcoxon test of the Dice against the best simple method of the split (in bold) on the same cases,
  from 6 cases on, with the mean difference in front."""

_SPLIT_NOTES = {
    VOLUME_SPLITS["id001"]: "The training part holds these two volumes: without masks for the shipped weights, with "
    "them for the supervised network. Of the trained rows only the cross-validated one has not seen the volume it "
    "segments."
}


def markdown(result: Mapping[str, Any], plots: Mapping[str, Path]) -> str:
    """The page of a result of `run_benchmark`.

    Args:
        result: numbers may be rounded.
        plots: "scores", "quality" and "robustness" to the file that shows them, as far as there is one.
    """
    model = result["model"]
    lines = [
        f"# Benchmark: {result['task']}",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}; shipped weights {model['name']} "
        f"{model['version']}, SHA-256 `{model['sha256'][:12]}`. Single values: the .json file beside this page.",
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
    lines += _picture("Mean Dice under the three protocols", plots.get("scores"))
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


def _score_cells(row: Mapping[str, Any], found: Mapping[str, Any], best: set[str]) -> list[str]:
    honest, against = found["label-free"], found["against_best_simple"]
    interval, spread = honest["dice"]["ci95"], found["seed_std"]
    dice = number(honest["dice"]["mean"])
    dice += f" ({number(interval[0])}-{number(interval[1])})" if interval else ""
    dice += f" ± {number(spread)}" if spread is not None else ""
    test = "-"
    if against:
        test = f"{against['difference']:+.3f}, " + ("-" if against["p"] is None else f"{against['p']:.2g}")
    return [
        f"**{row['name']}**" if row["name"] in best else row["name"],
        str(honest["dice"]["count"]),
        dice,
        number(honest["dice"]["median"]),
        number(honest["share_failed"]),
        *(number(honest[name]["mean"]) for name in ("iou", "hm", "xor")),
        *(number(honest[name]["mean"], 2) for name in ("hd95", "surface_distance")),
        test,
        *(
            number(found[name][metric]["mean"])
            for name in ("oracle cluster", "published protocol")
            for metric in ("dice", "iou")
        ),
        number(found["seconds"], 2),
    ]


def _quality_lines(rows: Iterable[Mapping[str, Any]], plot: Path | None) -> list[str]:
    cells = []
    for row in rows:
        for split, found in row["splits"].items():
            if measured := found.get("quality"):
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
    header += ["share below 0.5", "share after review"]
    return ["", "## Consistency score", "", *table(header, cells), *_picture("Consistency score", plot)]


def _robustness_lines(robustness: Mapping[str, Any], plot: Path | None) -> list[str]:
    cells = [
        [
            f"{name}, {split}",
            str(figures["count"]),
            *(number(figures[key]) for key in ("mean", "p5", "min")),
            str(len(figures["below"])),
            number(figures["truth_mean"]),
        ]
        for split, found in robustness.items()
        for name, figures in found["exact"].items()
    ]
    text = "Dice between the masks of the changed and of the unchanged image, the former mapped back."
    header = ["", "cases", "mean", "5th percentile", "least", "below 0.97", "mean Dice with truth"]
    lines = ["", "## Robustness of the shipped weights", "", text, "", *table(header, cells)]
    return lines + _picture("Agreement under rotation, scale, brightness and JPEG compression", plot)


def _ablation_lines(ablation: Sequence[Mapping[str, Any]]) -> list[str]:
    splits = list(ablation[0]["splits"])
    cells = [
        [entry["variant"], *(f"{number(found['mean'])} ± {number(found['std'])}" for found in entry["splits"].values())]
        for entry in ablation
    ]
    seeds = len(ablation[0]["splits"][splits[0]]["seeds"])
    text = (
        "Every variant is trained alike, on a reduced budget and with the S3-Net losses alone. Mean label-free Dice of "
        f"one view at the size of the network, ± its standard deviation over {seeds} seeds."
    )
    return ["", "## Ablation", "", text, "", *table(["", *splits], cells)]


def _picture(title: str, path: Path | None) -> list[str]:
    return [] if path is None else ["", f"![{title}]({path.name})"]
