"""Fill the tables of README and model cards from docs/benchmark/*.json, so that no number in them is typed.

usage: python scripts/write_scores.py [--check]
A block begins with <!-- scores TASK... -->, <!-- consistency TASK -->, <!-- few TASK -->, <!-- structures SPLIT NAME...
-->, <!-- corrections --> or <!-- speed -->, and ends with <!-- end -->.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from statistics import fmean, median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "docs/accuracy.md",
    "docs/few_labels.md",
    *(f"bundle/{name}_segmentation/docs/README.md" for name in ("skin_lesion", "lung_ct", "cardiac_mr")),
)
TRAINED_ON = (
    "volumes id001-002"  # by the shipped weights and the U-Net: only the cross-validated row may stand for them
)
BLOCK = re.compile(
    r"<!-- (scores|consistency|few|structures|corrections|speed)((?: \w+)*) -->\n.*?<!-- end -->", re.DOTALL
)


def scores(*tasks: str) -> str:
    """The shipped weights beside the best simple method and the supervised U-Net, a row a report split."""
    lines = [
        "| report split | cases | shipped weights, mean Dice (95 % CI) | median | below 0.5 | best simple method "
        "| U-Net, 100 % of the masks |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in tasks:
        result = read(task)
        for split, facts in result["splits"].items():
            unseen = [row for row in of_kind(result, "trained", split) if "cross-validated" in row["name"]]
            ours = unseen if split == TRAINED_ON else of_kind(result, "shipped", split)
            shipped = ours[0]["splits"][split]["label-free"]
            name = f"{split}, cross-validated" if split == TRAINED_ON else split
            simple = max(of_kind(result, "simple", split), key=lambda row: mean_dice(row, split))
            supervised = [
                f"{mean_dice(row, split):.3f}" for row in of_kind(result, "supervised", split) if split != TRAINED_ON
            ]
            dice, interval = shipped["dice"], shipped["dice"]["ci95"]
            spread = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
            lines.append(
                f"| {name} | {facts['cases']} | {dice['mean']:.3f}{spread} | {dice['median']:.3f} "
                f"| {shipped['share_failed']:.3f} | {mean_dice(simple, split):.3f} ({simple['name']}) "
                f"| {', '.join(supervised) or '-'} |"
            )
    return "\n".join(lines)


def consistency(task: str) -> str:
    """What the consistency score says about the Dice, a row a report split."""
    lines = [
        "| report split | Spearman correlation with Dice | cases below 0.5 | of them among the worst-scored 10 % |",
        "|---|---|---|---|",
    ]
    result = read(task)
    for split in result["splits"]:
        found = of_kind(result, "shipped", split)[0]["splits"][split].get("quality")
        if found and found["spearman"] is not None:
            lines.append(f"| {split} | {found['spearman']:.2f} | {found['failures']} | {found['failures_reviewed']} |")
    return "\n".join(lines)


def few(task: str) -> str:
    """Mean Dice of the methods for few labels, a column a number of labeled patients; ablations are on the page."""
    result = read(task)
    columns, unit = result["columns"], result["unit"]
    lines = [f"| labeled patients | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    reference = result["references"][0]
    most = {
        column: max((len(row["cells"][column]["draws"]) for row in result["rows"] if column in row["cells"]), default=0)
        for column in columns
    }
    for row in result["rows"]:
        if row["kind"] == "ablation":
            continue
        cells = [cell(row["cells"].get(column), reference, most[column]) for column in columns]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    for source, values in result["published"].items():
        known = (f"{values[column]:.3f}" if column in values else "-" for column in columns)
        lines.append(f"| *{source}* | {' | '.join(known)} |")
    note = f"the 95 % interval of the difference over {unit}s excludes zero."
    return "\n".join([*lines, "", f'\\* above "{reference}": {note}'])


def structures(split: str, *names: str) -> str:
    """What `s3net evaluate` found for the shipped weights, a row a structure; cases are not independent patients."""
    cases = read(split)["cases"]
    lines = [
        "| structure | cases | mean Dice | median | lowest | HD95, voxels |",
        "|---" * 6 + "|",
    ]
    for label, name in enumerate(names, start=1):
        found = [case["labels"][str(label)] for case in cases]
        dice = [each["dice"] for each in found]
        distances = [each["hd95"] for each in found if each["hd95"] is not None]
        lines.append(
            f"| {name} | {len(dice)} | {fmean(dice):.3f} | {median(dice):.3f} | {min(dice):.3f} "
            f"| {fmean(distances):.1f} |"
        )
    return "\n".join(lines)


def corrections() -> str:
    """Mean Dice after each number of corrected masks, a row an order of them, the supervised network last."""
    result = read("corrections")
    steps = [str(step) for step in result["steps"]]
    lines = [
        f"| report split | corrected in the order | before | {' | '.join(steps)} | U-Net, all masks |",
        "|---" * (len(steps) + 4) + "|",
    ]
    for split in result["splits"]:
        for row in result["rows"]:
            found = [row["cells"][step][split] for step in steps]
            after = [f"{each['mean']:.3f} ± {each['seed_std']:.3f}" for each in found]
            last = f"{result['supervised'][split]['mean']:.3f}" if result["supervised"] else "-"
            lines.append(
                f"| {split} | {row['name']} | {result['shipped'][split]['mean']:.3f} | {' | '.join(after)} | {last} |"
            )
    return "\n".join(lines)


def cell(found: dict[str, Any] | None, reference: str, most: int) -> str:
    """Dice with its interval, and how many draws of labeled patients there are where others have more."""
    if found is None:
        return "-"
    dice, against = found["dice"], found["against"].get(reference)
    spread = " ({:.3f} to {:.3f})".format(*dice["ci95"]) if dice["ci95"] else ""
    above = against is not None and against["ci95"] is not None and against["ci95"][0] > 0
    count = len(found["draws"])
    fewer = f", {count} draw{'s' if count > 1 else ''}" if count < most else ""
    return f"{dice['mean']:.3f}{spread}{fewer}" + (" \\*" if above else "")


def speed() -> str:
    """Seconds and memory of the shipped weights."""
    found = read("speed")
    volume = found["ct"]
    shape = " x ".join(str(size) for size in volume["shape"])
    return "\n".join(
        [
            f"| on {found['machine']['cores']} cores | measured |",
            "|---|---|",
            f"| one forward pass of a 256 x 256 picture | {found['forward_256']['median']:.3f} s |",
            f"| a {shape} CT, DICOM in, NIfTI and DICOM SEG out, start of the program included "
            f"| {volume['wall_seconds']:.1f} s, peak {volume['peak_gb']:.2f} GB |",
        ]
    )


def of_kind(result: dict[str, Any], kind: str, split: str) -> list[dict[str, Any]]:
    return [row for row in result["rows"] if row["kind"] == kind and split in row["splits"]]


def mean_dice(row: dict[str, Any], split: str) -> float:
    return float(row["splits"][split]["label-free"]["dice"]["mean"])


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "benchmark" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def filled(text: str) -> str:
    """The page with every block made anew."""
    make = {
        "scores": scores,
        "consistency": consistency,
        "few": few,
        "structures": structures,
        "corrections": corrections,
        "speed": speed,
    }

    def block(found: re.Match[str]) -> str:
        head = found[0].split("\n", 1)[0]
        return f"{head}\n\n{make[found[1]](*found[2].split())}\n\n<!-- end -->"

    return BLOCK.sub(block, text)


def main(check: bool) -> int:
    stale = [page for page in PAGES if filled(text := (ROOT / page).read_text(encoding="utf-8")) != text]
    for page in stale:
        if check:
            print(f"{page}: its tables differ from docs/benchmark; run scripts/write_scores.py", file=sys.stderr)
        else:
            (ROOT / page).write_text(filled((ROOT / page).read_text(encoding="utf-8")), encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
