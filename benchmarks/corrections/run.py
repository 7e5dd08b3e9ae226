"""``python -m benchmarks corrections``: what corrected masks gain, by their order.

The released skin weights are fine-tuned on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.cases import skin_cases
from benchmarks.common.output import (
    check_output,
    machine_facts,
    recorded_command,
    rounded_numbers,
    write_json_and_page,
)
from benchmarks.common.work_folder import BusyError, folder_lock, read_cached, write_cached
from benchmarks.corrections.annotator import (
    ORDERS,
    AnnotatorRun,
    Entry,
    Pool,
    ReportCases,
    fine_tuning_config,
    run_annotator,
    score_bundle,
)
from benchmarks.corrections.results import corrections_result
from benchmarks.label_free.trained_skin import SUPERVISED_NAME, skin_datalists
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.bundle import read_metadata
from s3net_monai.utils.printing import print_note
from s3net_monai.version import __version__

STEPS = (10, 20, 50, 100)
SEEDS = (0, 1, 2)
TUNING = ("max_epochs", "epoch_length", "batch_size", "learning_rate", "unlabeled_images", "leave_out")
POOL_EVERY = 3  # every third training image, so that segmenting the whole pool is quick


def run_corrections(
    data: Path,
    output: Path,
    *,
    work: Path,
    names: Sequence[str] = (),
    steps: tuple[int, ...] = STEPS,
    seeds: Sequence[int] = SEEDS,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run the annotators of every order and seed, and write the results.

    A .md and a .png file are written beside ``output``.

    All annotators choose from one pool, a third of the training images of ISIC 2018. The files have the requested
    rows. Several processes may share ``work``: each takes runs that no other process works on, and waits for those at
    the end. The figures of the supervised U-Net are those of the skin benchmark if its skin.json lies beside
    ``output``.

    Args:
        data: folder with skin/isic2018 and skin/ph2.
        output: FILE.json.
        work: folder of all benchmarks; the content of its corrections/ is reused.
        names: orders; none means all.
        steps: numbers of corrections.
        seeds: seeds of random choices and of all trainings.
        overrides: new values by id of the config that fine-tunes.

    Raises:
        ValueError: For an unknown name, missing data or packages, or an output that is no .json file.
    """
    check_output(output, ["matplotlib"])
    if unknown := sorted(set(names) - set(ORDERS)):
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(ORDERS)}")
    root = bundle_root("skin")
    bundle = load_bundle("skin", root, torch.device("cpu"))
    report_cases = ReportCases(skin_cases(data), bundle)
    cache_key = f"{bundle.sha256[:12]}-{bundle.config_sha256[:12]}"
    folder = work.absolute() / "corrections"
    pool = _pool(data, work.absolute(), bundle)
    released = _released_scores(folder / "released.json", bundle, report_cases, cache_key=cache_key)
    orders = [name for name in ORDERS if not names or name in names]
    runs = [
        AnnotatorRun(order=order, seed=seed, steps=steps, overrides=overrides or {})
        for order in orders
        for seed in seeds
    ]
    scores: dict[str, dict[int, list[list[Entry]]]] = {name: {} for name in ORDERS}
    for run, entries in _run_all(runs, pool, report_cases, folder=folder, cache_key=cache_key):
        scores[run.order][run.seed] = entries
    config = fine_tuning_config(root, overrides or {})
    facts = {
        "schema_version": 1,
        "command": recorded_command("corrections", output, rows=names),
        "package_version": __version__,
        "model": {"name": root.name, "version": str(read_metadata(root)["version"]), "sha256": bundle.sha256},
        "machine": machine_facts(),
        "pool": len(pool.cases),
        "tuning": {name: config[name] for name in TUNING},
    }
    supervised = supervised_figures(output.with_name("skin.json"))
    figures = corrections_result(steps, scores, released=released, supervised=supervised)
    result = rounded_numbers({**facts, **figures})
    write_corrections(result, output)
    return result


def write_corrections(result: Mapping[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the page and the plot that are made from it beside it."""
    from benchmarks.corrections.page import corrections_page, write_corrections_plot

    output.parent.mkdir(parents=True, exist_ok=True)
    plot = write_corrections_plot(result, output.with_suffix(".png"))
    write_json_and_page(result, corrections_page(result, plot), output)


def supervised_figures(path: Path) -> dict[str, Any] | None:
    """Return the figures of the supervised U-Net by split.

    They are read from the file of the skin benchmark; None if there is no such file.
    """
    if not path.is_file():
        return None
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    row = next((row for row in rows if row["name"] == SUPERVISED_NAME), None)
    return row and {
        split: {
            **figures["label-free"]["dice"],
            "below_half": figures["quality"]["share_failed"],
            "by_seed": figures["seed_means"],
            "seed_std": figures["seed_std"],
        }
        for split, figures in row["splits"].items()
    }


def _pool(data: Path, work: Path, bundle: Bundle) -> Pool:
    from s3net_monai.data.datalist import load_datalist

    isic = skin_datalists(data, work / "skin")[0]
    return Pool(load_datalist(isic, "training", labels=True)[::POOL_EVERY], bundle_root("skin"), bundle)


def _run_all(
    runs: Sequence[AnnotatorRun], pool: Pool, report_cases: ReportCases, *, folder: Path, cache_key: str
) -> list[tuple[AnnotatorRun, list[list[Entry]]]]:
    """Return all runs with their scores.

    Runs that another process works on come last, and are waited for.
    """
    scored: list[tuple[AnnotatorRun, list[list[Entry]]]] = []
    busy: list[AnnotatorRun] = []
    for wait, todo in ((False, runs), (True, busy)):
        for run in todo:
            run_folder = folder / f"{run.order}-{run.seed}"
            try:
                with folder_lock(run_folder, wait=wait):
                    entries = run_annotator(run, pool, report_cases, folder=run_folder, cache_key=cache_key)
                    scored.append((run, entries))
            except BusyError:
                busy.append(run)
    return scored


def _released_scores(path: Path, bundle: Bundle, report_cases: ReportCases, *, cache_key: str) -> list[Entry]:
    settings = {"kind": "released", "cache_key": cache_key}
    cached = read_cached(path, settings)
    if cached is None:
        print_note("released weights")
        cached = {"cases": score_bundle(bundle, report_cases)}
        write_cached(path, settings, cached)
    cases: list[Entry] = cached["cases"]
    return cases
