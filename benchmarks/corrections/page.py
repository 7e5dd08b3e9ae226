"""The result of the correction loop as a page and as curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.common.markdown_table import number, table
from benchmarks.corrections.results import GOAL
from s3net_monai.active_learning import FIRST_ROUND, MAX_CANDIDATES
from s3net_monai.utils.atomic import atomic_path

# told apart by color-blind readers (Okabe and Ito), and by their markers
_LOOKS = {"consistency": ("#0072b2", "o"), "random": ("#d55e00", "s")}
_OTHER = ("#009e73", "^")


def corrections_markdown(result: Mapping[str, Any], plot: Path) -> str:
    """The page of a result of `run_corrections`."""
    tuning, steps = result["tuning"], result["steps"]
    length = tuning["max_epochs"] * tuning["epoch_length"]
    lines = [
        "# Corrections: from the label-free weights to better ones",
        "",
        f"Made by `{result['command']}`, version {result['package_version']}; shipped weights "
        f"{result['model']['name']} {result['model']['version']}, SHA-256 `{result['model']['sha256'][:12]}`. Single "
        "values: the .json file beside this page.",
        "",
        "- An annotator is simulated: an image's own mask stands for the corrected one. All choose from the same "
        f"{result['pool']} images of the training section of ISIC 2018; no mask of an image that was not chosen is "
        "opened.",
        f"- **consistency**: the first {FIRST_ROUND} are images that cover all others by features of the shipped "
        f"encoder; each later one covers best the {MAX_CANDIDATES} least consistent masks by the weights of the step before. "
        "Seeds differ in trainings alone, and by these in later choices. **random**: permutations of the same images.",
        f"- Each fine-tuning begins with the shipped weights and takes {length} steps of {tuning['batch_size']} "
        f"images, learning rate {tuning['learning_rate']:g}. It learns the corrected masks, and the masks that the "
        f"shipped bundle gives {tuning['unlabeled_images']} other images, without the {tuning['leave_out']:.0%} least "
        "consistent. These settings were chosen on the validation "
        "section, which is a part of ISIC's training images ([notes](notes.md)).",
        "- A cell: mean Dice over cases and seeds, its 95 % bootstrap interval over cases, ± the standard deviation "
        "over seeds where there are several; masks as `s3net segment` gives them.",
    ]
    for split, cases in result["splits"].items():
        lines += ["", f"## {split} ({cases} cases)", ""]
        head = ["order", *(f"{step} corrections" for step in steps)]
        lines += table(head, [[row["name"], *_cells(row, steps, split)] for row in result["rows"]])
        lines += ["", f"Before any correction: {_dice(result['shipped'][split])}."]
        if result["supervised"]:
            lines += [f"The supervised U-Net with all masks ([skin](skin.md)): {_dice(result['supervised'][split])}."]
        lines += _differences(result, split) + _sentences(result, split)
    lines += ["", f"![Mean Dice by number of corrections]({plot.name})"]
    return "\n".join(lines) + "\n"


def write_corrections_plot(result: Mapping[str, Any], path: Path) -> Path:
    """Mean Dice by number of corrections, a panel a split, drawn as PNG."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    steps = result["steps"]
    for axes, split in zip(figure.subplots(1, len(result["splits"]), squeeze=False)[0], result["splits"], strict=True):
        before = result["shipped"][split]["mean"]
        for row in result["rows"]:
            color, marker = _LOOKS.get(row["name"], _OTHER)
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
    ends = figures["ci95"]
    interval = "" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
    spread = "" if figures["seed_std"] is None else f" ± {figures['seed_std']:.3f}"
    return f"{number(figures['mean'])}{interval}{spread}"


def _differences(result: Mapping[str, Any], split: str) -> list[str]:
    """Of every order from the random one, by a paired two-sided Wilcoxon test over cases."""
    rows = []
    for row in result["rows"]:
        found = [row["cells"][str(step)][split].get("against_random") for step in result["steps"]]
        if all(found):
            rows.append([f"{row['name']} - random", *map(_difference, found)])
    return ["", *table(["difference", *map(str, result["steps"])], rows)] if rows else []


def _difference(found: Mapping[str, Any]) -> str:
    p = "" if found["p"] is None else f", p = {found['p']:.2g}"
    return f"{found['difference']:+.3f}{p}"


def _sentences(result: Mapping[str, Any], split: str) -> list[str]:
    answers = result["answers"][split]
    lines = [""]
    for name, reached in answers["reached"].items():
        pairs = ", ".join(f"{step} by {other or 'none'}" for step, other in reached.items())
        lines.append(f"- The Dice of random corrections is reached in the order of {name} with: {pairs}.")
    for name, short in answers["short"].items():
        verdict = "within" if short["within"] else "not within"
        lines.append(
            f"- {name}, {result['steps'][-1]} corrections: {-short['dice']:+.3f} from the U-Net, {verdict} {GOAL:g}."
        )
    return lines if len(lines) > 1 else []
