"""``python -m benchmarks corrections``: how far corrected masks carry the shipped skin weights, and in which order."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.cases import skin_cases
from benchmarks.corrections.loop import (
    ORDERS,
    Entry,
    Loop,
    Pool,
    Report,
    fine_tuning_config,
    read_kept,
    run_loop,
    score_bundle,
    write_kept,
)
from benchmarks.corrections.results import corrections_result
from benchmarks.few_labels.stages import BusyError, stage_lock
from benchmarks.label_free.run import json_text, rounded_numbers
from benchmarks.label_free.trained_skin import skin_datalists
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.bundle import read_metadata
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.version import __version__

STEPS = (10, 20, 50, 100)
SEEDS = (0, 1, 2)
TUNING = ("max_epochs", "epoch_length", "batch_size", "learning_rate", "unlabeled_images", "leave_out")
SUPERVISED = "supervised U-Net (100 % masks)"  # its row of the skin benchmark
POOL_EVERY = 3  # of the training images, so that looking at all of them is quick


def run_corrections(
    data: Path,
    output: Path,
    work: Path,
    names: Sequence[str] = (),
    steps: tuple[int, ...] = STEPS,
    seeds: Sequence[int] = SEEDS,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run the loop for every order and seed, and write ``output`` with .md and .png beside it.

    All annotators choose from one pool, a third of the training images of ISIC 2018. The files hold the rows that are
    asked for. Several processes may share ``work``: each takes loops that no other one is at, and waits for those in
    the end. The figures of the supervised U-Net are those of the skin benchmark, where its skin.json lies beside
    ``output``.

    Args:
        data: holds skin/isic2018 and skin/ph2.
        output: FILE.json.
        work: folder of all benchmarks; what lies in its corrections/ is not computed again.
        names: orders; none means all.
        steps: numbers of corrections.
        seeds: of random choices and of all trainings.
        overrides: new values by id of the config that fine-tunes.

    Raises:
        ValueError: for an unknown name, missing data or packages, or an output that is no .json file.
    """
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected a name that ends in .json; .md and .png files are written beside it")
    if importlib.util.find_spec("matplotlib") is None:  # asked before the hours of work, not after them
        raise ValueError("matplotlib is not installed; run: pip install 's3net-monai[benchmark]'")
    if unknown := sorted(set(names) - set(ORDERS)):
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(ORDERS)}")
    root = bundle_root("skin")
    bundle = load_bundle("skin", root, torch.device("cpu"))
    report = Report(skin_cases(data), bundle)
    stamp = f"{bundle.sha256[:12]}-{bundle.config_sha256[:12]}"
    place = work.absolute() / "corrections"
    pool = _pool(data, work.absolute(), bundle)
    shipped = _shipped_scores(place / "shipped.json", stamp, bundle, report)
    scores: dict[str, dict[int, list[list[Entry]]]] = {name: {} for name in ORDERS}
    wanted = [name for name in ORDERS if not names or name in names]
    loops = [Loop(order, seed, steps, overrides or {}) for order in wanted for seed in seeds]
    for loop, found in _run_all(loops, pool, report, place, stamp):
        scores[loop.order][loop.seed] = found
    config = fine_tuning_config(root, overrides or {})
    facts = {
        "schema_version": 1,
        "command": _command(output, names),
        "package_version": __version__,
        "model": {"name": root.name, "version": str(read_metadata(root)["version"]), "sha256": bundle.sha256},
        "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "pool": len(pool.cases),
        "tuning": {name: config[name] for name in TUNING},
    }
    supervised = supervised_figures(output.with_name("skin.json"))
    result = rounded_numbers({**facts, **corrections_result(steps, scores, shipped, supervised)})
    write_corrections(result, output)
    return result


def write_corrections(result: Mapping[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the page and the plot that are made from it beside it."""
    from benchmarks.corrections.page import corrections_markdown, write_corrections_plot

    output.parent.mkdir(parents=True, exist_ok=True)
    plot = write_corrections_plot(result, output.with_suffix(".png"))
    texts = ((output, json_text(dict(result))), (output.with_suffix(".md"), corrections_markdown(result, plot)))
    for path, text in texts:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def supervised_figures(path: Path) -> dict[str, Any] | None:
    """By split, what the skin benchmark's result says of the supervised U-Net; None where there is no such file."""
    if not path.is_file():
        return None
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    row = next((row for row in rows if row["name"] == SUPERVISED), None)
    return row and {
        split: {
            **found["label-free"]["dice"],
            "below_half": found["quality"]["share_failed"],
            "by_seed": found["seed_means"],
            "seed_std": found["seed_std"],
        }
        for split, found in row["splits"].items()
    }


def _pool(data: Path, work: Path, bundle: Bundle) -> Pool:
    from s3net_monai.data.datalist import load_datalist

    isic = skin_datalists(data, work / "skin")[0]
    return Pool(load_datalist(isic, "training", labels=True)[::POOL_EVERY], bundle_root("skin"), bundle)


def _run_all(
    loops: Sequence[Loop], pool: Pool, report: Report, place: Path, stamp: str
) -> list[tuple[Loop, list[list[Entry]]]]:
    """All loops; those that another process is at come last, and are waited for."""
    found: list[tuple[Loop, list[list[Entry]]]] = []
    busy: list[Loop] = []
    for wait, todo in ((False, loops), (True, busy)):
        for loop in todo:
            folder = place / f"{loop.order}-{loop.seed}"
            try:
                with stage_lock(folder, wait):
                    found.append((loop, run_loop(loop, pool, report, folder, stamp)))
            except BusyError:
                busy.append(loop)
    return found


def _shipped_scores(path: Path, stamp: str, bundle: Bundle, report: Report) -> list[Entry]:
    settings = {"kind": "shipped", "stamp": stamp}
    kept = read_kept(path, settings)
    if kept is None:
        print(path.stem, file=sys.stderr, flush=True)
        kept = {"cases": score_bundle(bundle, report)}
        write_kept(path, settings, kept)
    cases: list[Entry] = kept["cases"]
    return cases


def _command(output: Path, names: Sequence[str]) -> str:
    rows = f" --rows {','.join(names)}" if names else ""
    # nobody else has the folders of this machine
    return (
        f"python -m benchmarks corrections --data DATA --output {output.name if output.is_absolute() else output}{rows}"
    )
