"""Fill the tables of README, docs and model cards from docs/benchmark/*.json.

So no number in the tables is typed. A block begins with <!-- scores TASK... -->, <!-- consistency TASK -->,
<!-- few TASK -->, <!-- structures SPLIT NAME... -->, <!-- corrections -->, <!-- speed --> or <!-- memory -->, and ends
with <!-- end -->. Every page of ``PAGES`` may have blocks.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from statistics import fmean, median
from typing import Any

from s3net_monai.utils.printing import ArgumentParser, print_note

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the benchmarks, which are not installed

from benchmarks.common.splits import LUNG_TRAINING_VOLUMES
from benchmarks.speed.alternate import median_of
from benchmarks.speed.items import ITEMS, THIS

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "bundle/*/docs/README.md")  # patterns of the pages that are searched for blocks
BLOCK = re.compile(
    r"<!-- (scores|consistency|few|structures|corrections|speed|memory)((?: \w+)*) -->\n.*?<!-- end -->", re.DOTALL
)


def scores(*tasks: str) -> str:
    """Return released weights, best baseline and supervised U-Net, one row per report split."""
    lines = [
        "| report split | cases | released weights, mean Dice (95 % CI) | median | below 0.5 | best baseline "
        "| U-Net, 100 % of the masks |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in tasks:
        result = read(task)
        for split, facts in result["splits"].items():
            # Released weights and U-Net were trained on these volumes: only the cross-validated row may represent them.
            is_trained_on = split == LUNG_TRAINING_VOLUMES
            if is_trained_on:
                rows = [row for row in of_kind(result, "trained", split) if "cross-validated" in row["name"]]
            else:
                rows = of_kind(result, "released", split)
            figures = rows[0]["splits"][split]["label-free"]
            name = f"{split}, cross-validated" if is_trained_on else split
            baseline = max(of_kind(result, "simple", split), key=lambda row: mean_dice(row, split))
            supervised = [] if is_trained_on else of_kind(result, "supervised", split)
            dice, interval = figures["dice"], figures["dice"]["ci95"]
            spread = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
            lines.append(
                f"| {name} | {facts['cases']} | {dice['mean']:.3f}{spread} | {dice['median']:.3f} "
                f"| {figures['share_failed']:.3f} | {mean_dice(baseline, split):.3f} ({baseline['name']}) "
                f"| {', '.join(f'{mean_dice(row, split):.3f}' for row in supervised) or '-'} |"
            )
    return "\n".join(lines)


def consistency(task: str) -> str:
    """Return how well the consistency score predicts the Dice, one row per report split."""
    lines = [
        "| report split | Spearman correlation with Dice | cases below 0.5 | of them among the worst-scored 10 % |",
        "|---|---|---|---|",
    ]
    result = read(task)
    for split in result["splits"]:
        quality = of_kind(result, "released", split)[0]["splits"][split].get("quality")
        if quality and quality["spearman"] is not None:
            lines.append(
                f"| {split} | {quality['spearman']:.2f} | {quality['failures']} | {quality['failures_reviewed']} |"
            )
    return "\n".join(lines)


def few(task: str) -> str:
    """Return the mean Dice of methods for few labels, by number of labeled patients.

    Ablations are left out; the benchmark's page has them.
    """
    result = read(task)
    columns, unit = result["columns"], result["unit"]
    lines = [f"| labeled patients | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    reference = result["references"][0]
    max_draws = {
        column: max((len(row["cells"][column]["draws"]) for row in result["rows"] if column in row["cells"]), default=0)
        for column in columns
    }
    for row in result["rows"]:
        if row["kind"] == "ablation":
            continue
        cells = [cell(row["cells"].get(column), reference, max_draws[column]) for column in columns]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    for source, values in result["published"].items():
        published = (f"{values[column]:.3f}" if column in values else "-" for column in columns)
        lines.append(f"| *{source}* | {' | '.join(published)} |")
    note = f"the 95 % interval of the difference over {unit}s excludes zero."
    return "\n".join([*lines, "", f'\\* above "{reference}": {note}'])


def structures(split: str, *names: str) -> str:
    """Return the scores of ``s3net evaluate`` for the released weights, one row per structure.

    Cases are not independent patients, so there are no intervals.
    """
    cases = read(split)["cases"]
    lines = [
        "| structure | cases | mean Dice | median | lowest | HD95, voxels |",
        "|---" * 6 + "|",
    ]
    for label, name in enumerate(names, start=1):
        metrics = [case["labels"][str(label)] for case in cases]
        dice = [metric["dice"] for metric in metrics]
        distances = [metric["hd95"] for metric in metrics if metric["hd95"] is not None]
        lines.append(
            f"| {name} | {len(dice)} | {fmean(dice):.3f} | {median(dice):.3f} | {min(dice):.3f} "
            f"| {fmean(distances):.1f} |"
        )
    return "\n".join(lines)


def corrections() -> str:
    """Return the mean Dice after each number of corrected masks, one row per order of them.

    The last column is the supervised network.
    """
    result = read("corrections")
    steps = [str(step) for step in result["steps"]]
    lines = [
        f"| report split | corrected in the order | before | {' | '.join(steps)} | U-Net, all masks |",
        "|---" * (len(steps) + 4) + "|",
    ]
    for split in result["splits"]:
        for row in result["rows"]:
            figures = [row["cells"][step][split] for step in steps]
            after = [f"{dice['mean']:.3f} ± {dice['seed_std']:.3f}" for dice in figures]
            last = f"{result['supervised'][split]['mean']:.3f}" if result["supervised"] else "-"
            lines.append(
                f"| {split} | {row['name']} | {result['released'][split]['mean']:.3f} | {' | '.join(after)} | {last} |"
            )
    return "\n".join(lines)


def cell(figures: dict[str, Any] | None, reference: str, max_draws: int) -> str:
    """Return Dice with its interval, and the number of draws if other rows have more."""
    if figures is None:
        return "-"
    dice, against = figures["dice"], figures["against"].get(reference)
    spread = " ({:.3f} to {:.3f})".format(*dice["ci95"]) if dice["ci95"] else ""
    is_above = against is not None and against["ci95"] is not None and against["ci95"][0] > 0
    count = len(figures["draws"])
    note = f", {count} draw{'s' if count > 1 else ''}" if count < max_draws else ""
    return f"{dice['mean']:.3f}{spread}{note}" + (" \\*" if is_above else "")


def speed() -> str:
    """Return seconds and memory of whole runs of the released weights."""
    result = read("speed")
    cores = result["machine"]["cores"]
    lines = [f"| on {cores} cores, with the start of the program | time | memory |", "|---|---|---|"]
    for name in ("ct", "pictures", "picture", "jpeg"):
        runs = result["rows"].get(name, {}).get("runs", {}).get(THIS)
        if runs:
            seconds, gigabytes = (median_of(runs, quantity) for quantity in ("wall_seconds", "peak_gb"))
            lines.append(f"| {ITEMS[name].title} | {seconds:.1f} s | {gigabytes:.2f} GB |")
    return "\n".join(lines)


def memory() -> str:
    """Return memory and CPU time of whole runs over large images."""
    lines = ["| image | memory | expected by its header, at most | CPU time |", "|---|---|---|---|"]
    for name, values in read("faults")["rows"]["large-images"]["kinds"].items():
        lines.append(
            f"| `{name.replace(', ', '`, ')} | {values['gigabytes']:.1f} GB | {values['expected']:.1f} GB "
            f"| {values['seconds']:.0f} s |"
        )
    return "\n".join(lines)


def of_kind(result: dict[str, Any], kind: str, split: str) -> list[dict[str, Any]]:
    """Return the rows of one kind that have scores of a split."""
    return [row for row in result["rows"] if row["kind"] == kind and split in row["splits"]]


def mean_dice(row: dict[str, Any], split: str) -> float:
    """Return the mean label-free Dice of a row on a split."""
    return float(row["splits"][split]["label-free"]["dice"]["mean"])


def read(name: str) -> dict[str, Any]:
    """Read a JSON file of docs/benchmark."""
    result: dict[str, Any] = json.loads((ROOT / "docs" / "benchmark" / f"{name}.json").read_text(encoding="utf-8"))
    return result


def filled(text: str) -> str:
    """Return a page with the content of every block written again."""
    make = {
        "scores": scores,
        "consistency": consistency,
        "few": few,
        "structures": structures,
        "corrections": corrections,
        "speed": speed,
        "memory": memory,
    }

    def block(match: re.Match[str]) -> str:
        head = match[0].split("\n", 1)[0]
        return f"{head}\n\n{make[match[1]](*match[2].split())}\n\n<!-- end -->"

    return BLOCK.sub(block, text)


def pages() -> list[Path]:
    """Return the pages that have a block."""
    paths = sorted({path for pattern in PAGES for path in ROOT.glob(pattern)})
    return [path for path in paths if BLOCK.search(path.read_text(encoding="utf-8"))]


def main(check: bool) -> int:
    """Write or check all pages; return 1 if a checked page is outdated, otherwise 0."""
    outdated = [page for page in pages() if filled(text := page.read_text(encoding="utf-8")) != text]
    for page in outdated:
        if check:
            name = page.relative_to(ROOT).as_posix()
            print_note(f"{name}: its tables differ from docs/benchmark; run scripts/write_scores.py")
        else:
            page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    return int(check and bool(outdated))


if __name__ == "__main__":
    _parser = ArgumentParser(description=__doc__)
    _parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a table differs")
    sys.exit(main(_parser.parse_args().check))
