"""Markdown page and plot of the corrections benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.common.markdown import figure_link, interval_text, number, p_text, spread_text, table
from benchmarks.corrections.results import MAX_GAP
from s3net_monai.active_learning import FIRST_ROUND, MAX_CANDIDATES
from s3net_monai.utils.atomic import atomic_path

# Color-blind readers can tell these colors apart (Okabe and Ito), and the markers differ too.
_STYLES = {"consistency": ("#0072b2", "o"), "random": ("#d55e00", "s")}
_DEFAULT_STYLE = ("#009e73", "^")


def corrections_page(result: Mapping[str, Any], plot: Path) -> str:
    """Return the page of a result of ``run_corrections``."""
    steps = result["steps"]
    lines = [
        "# Corrections: from the label-free weights to better ones",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}; released weights "
        f"{result['model']['name']} {result['model']['version']}, SHA-256 `{result['model']['sha256'][:12]}`. The "
        ".json file beside this page has all values.",
        "",
        *_notes(result),
    ]
    for split, cases in result["splits"].items():
        lines += ["", f"## {split} ({cases} cases)", ""]
        head = ["order", *(f"{step} corrections" for step in steps)]
        lines += table(head, [[row["name"], *_cells(row, steps, split)] for row in result["rows"]])
        lines += ["", f"Before any correction: {_dice(result['released'][split])}."]
        if result["supervised"]:
            lines += [f"The supervised U-Net with all masks ([skin](skin.md)): {_dice(result['supervised'][split])}."]
        lines += _differences(result, split) + _sentences(result, split)
    lines += figure_link("Mean Dice by number of corrections", plot)
    return "\n".join(lines) + "\n"


def _notes(result: Mapping[str, Any]) -> list[str]:
    tuning = result["tuning"]
    length = tuning["max_epochs"] * tuning["epoch_length"]
    return [
        "- The annotator is simulated: the ground truth of an image stands for its corrected mask. All annotators "
        f"choose from the same {result['pool']} images of the training section of ISIC 2018. The mask of an image that "
        "was not chosen is never opened.",
        f"- **consistency**: the first {FIRST_ROUND} images are those that cover all others by features of the "
        f"released encoder. Each later image is the one that best covers the {MAX_CANDIDATES} least consistent masks "
        "by the weights of the step before. Seeds differ only in trainings, and thereby in later choices. "
        "**random**: permutations of the same images.",
        f"- Each fine-tuning starts from the released weights and takes {length} steps of {tuning['batch_size']} "
        f"images at a learning rate of {tuning['learning_rate']:g}. It is supervised by the corrected masks, and by "
        f"the masks that the released bundle gives {tuning['unlabeled_images']} other images, of which the "
        f"{tuning['leave_out']:.0%} least consistent are left out. These settings were chosen on the validation "
        "section, which is a part of ISIC's training images ([notes](notes.md)).",
        "- Each cell is the mean Dice over cases and seeds, with its 95 % bootstrap interval over cases, and ± the "
        "standard deviation over seeds if there are several; masks are those of `s3net segment`.",
    ]


def write_corrections_plot(result: Mapping[str, Any], path: Path) -> Path:
    """Draw mean Dice over the number of corrections as PNG, one panel per split."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    steps = result["steps"]
    for axes, split in zip(figure.subplots(1, len(result["splits"]), squeeze=False)[0], result["splits"], strict=True):
        before = result["released"][split]["mean"]
        for row in result["rows"]:
            color, marker = _STYLES.get(row["name"], _DEFAULT_STYLE)
            cells = [row["cells"][str(step)][split] for step in steps]
            axes.plot([0, *steps], [before, *(c["mean"] for c in cells)], color=color, marker=marker, label=row["name"])
            for step, cell in zip(steps, cells, strict=True):
                axes.plot([step] * len(cell["by_seed"]), cell["by_seed"], ".", color=color, alpha=0.5, markersize=4)
        if result["supervised"]:
            axes.axhline(result["supervised"][split]["mean"], color="black", linestyle="--", label="U-Net, all masks")
        axes.set(title=split, xlabel="corrected masks", ylabel="mean Dice", xticks=[0, *steps])
        axes.grid(axis="y", color="#dddddd")
        axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=100)
    return path


def _cells(row: Mapping[str, Any], steps: list[int], split: str) -> list[str]:
    return [_dice(row["cells"][str(step)][split]) for step in steps]


def _dice(figures: Mapping[str, Any]) -> str:
    return f"{number(figures['mean'])}{interval_text(figures['ci95'])}{spread_text(figures['seed_std'])}"


def _differences(result: Mapping[str, Any], split: str) -> list[str]:
    """Return the table of differences from the random order.

    The test is the paired two-sided Wilcoxon test over cases.
    """
    rows = []
    for row in result["rows"]:
        differences = [row["cells"][str(step)][split].get("against_random") for step in result["steps"]]
        if all(differences):
            rows.append([f"{row['name']} - random", *map(_difference, differences)])
    return ["", *table(["difference", *map(str, result["steps"])], rows)] if rows else []


def _difference(against: Mapping[str, Any]) -> str:
    return f"{against['difference']:+.3f}{p_text(against['p'])}"


def _sentences(result: Mapping[str, Any], split: str) -> list[str]:
    answers = result["answers"][split]
    lines = [""]
    for name, reached in answers["reached"].items():
        pairs = ", ".join(f"{step} by {count or 'none'}" for step, count in reached.items())
        lines.append(f"- The Dice of random corrections is reached in the order of {name} with: {pairs}.")
    for name, short in answers["short"].items():
        verdict = "within" if short["within"] else "not within"
        lines.append(
            f"- {name}, {result['steps'][-1]} corrections: {-short['dice']:+.3f} from the U-Net, {verdict} {MAX_GAP:g}."
        )
    return lines if len(lines) > 1 else []
