"""``s3net benchmark corrections``: how far corrected masks carry the shipped skin weights, and in which order."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import s3net_monai
from s3net_monai.benchmark.cases import skin_cases
from s3net_monai.benchmark.corrections_loop import (
    ORDERS,
    Entry,
    Loop,
    Pool,
    fine_tuning_config,
    read_kept,
    run_loop,
    score_bundle,
    write_kept,
)
from s3net_monai.benchmark.corrections_results import corrections_result
from s3net_monai.benchmark.few_labels_stages import BusyError, only_process_in
from s3net_monai.benchmark.run import json_text, rounded_numbers
from s3net_monai.benchmark.supervised import with_probabilities
from s3net_monai.benchmark.trained_skin import plain_bundle, skin_datalists, train_unet
from s3net_monai.benchmark.types import BenchmarkCase
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.bundle import read_metadata
from s3net_monai.io.atomic import atomic_path

STEPS = (10, 20, 50, 100)
SEEDS = (0, 1, 2)
TUNING = ("max_epochs", "epoch_length", "batch_size", "learning_rate", "threshold", "weight", "ramp_up")
SUPERVISED = "supervised"


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

    The training images of ISIC 2018 are dealt out to the seeds: each has a pool of its own, the same for all orders.
    The files hold the rows that are asked for. Several processes may share ``work``: each takes loops that no other one
    is at, and waits for those in the end.

    Args:
        data: holds skin/isic2018 and skin/ph2.
        output: FILE.json.
        work: folder of all benchmarks; what lies in its corrections/ is not computed again, and the weights of the
            supervised U-Net are those of the skin benchmark, in skin/.
        names: orders, or "supervised" for the U-Net; none means all.
        steps: numbers of corrections.
        seeds: of pools, orders and trainings.
        overrides: new values by id of the config that fine-tunes.

    Raises:
        ValueError: for an unknown name, missing data or packages, or an output that is no .json file.
    """
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected a name that ends in .json; .md and .png files are written beside it")
    if importlib.util.find_spec("matplotlib") is None:  # asked before the hours of work, not after them
        raise ValueError("matplotlib is not installed; run: pip install 's3net-monai[benchmark]'")
    known = (*ORDERS, SUPERVISED)
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(known)}")
    wanted = [name for name in known if not names or name in names]
    work = work.absolute()
    root = bundle_root("skin")
    bundle = load_bundle("skin", root, torch.device("cpu"))
    report = skin_cases(data)
    stamp = f"{bundle.sha256[:12]}-{bundle.config_sha256[:12]}"
    place = work / "corrections"
    none = {"kind": "shipped", "stamp": stamp}
    shipped = _kept_scores(place / "shipped.json", none, lambda: bundle, report)
    scores: dict[str, dict[int, list[list[Entry]]]] = {name: {} for name in ORDERS}
    pools = {seed: _pool(data, work, seed, len(seeds), bundle) for seed in seeds}
    loops = [Loop(order, seed, steps, overrides or {}) for seed in seeds for order in ORDERS if order in wanted]
    for loop, found in _run_all(loops, pools, report, place, stamp):
        scores[loop.order][loop.seed] = found
    supervised = [_supervised(data, work, seed, bundle, report) for seed in seeds if SUPERVISED in wanted]
    config = fine_tuning_config(root, overrides or {})
    facts = {
        "schema_version": 1,
        "command": _command(output, names),
        "package_version": s3net_monai.__version__,
        "model": {"name": root.name, "version": str(read_metadata(root)["version"]), "sha256": bundle.sha256},
        "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "pool": [len(pool.cases) for pool in pools.values()],
        "tuning": {name: config[name] for name in TUNING},
    }
    result = rounded_numbers({**facts, **corrections_result(steps, scores, shipped, supervised)})
    write_corrections(result, output)
    return result


def write_corrections(result: Mapping[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the page and the plot that are made from it beside it."""
    from s3net_monai.benchmark.corrections_page import corrections_markdown, write_corrections_plot

    output.parent.mkdir(parents=True, exist_ok=True)
    plot = write_corrections_plot(result, output.with_suffix(".png"))
    texts = ((output, json_text(dict(result))), (output.with_suffix(".md"), corrections_markdown(result, plot)))
    for path, text in texts:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _supervised(data: Path, work: Path, seed: int, bundle: Bundle, report: Sequence[BenchmarkCase]) -> list[Entry]:
    def trained() -> Bundle:
        weights = work / "skin" / "models" / f"skin-unet-{seed}" / "model.pt"
        network = train_unet(data, work / "skin", seed, weights)
        return replace(plain_bundle(bundle_root("skin")), network=with_probabilities(network))

    settings = {"kind": SUPERVISED, "seed": seed, "config": bundle.config_sha256}
    return _kept_scores(work / "corrections" / f"{SUPERVISED}-{seed}.json", settings, trained, report)


def _pool(data: Path, work: Path, seed: int, seeds: int, bundle: Bundle) -> Pool:
    from data_prep.datalist import load_datalist

    isic = skin_datalists(data, work / "skin")[0]
    return Pool(load_datalist(isic, "training", labels=True)[seed::seeds], bundle_root("skin"), bundle)


def _run_all(
    loops: Sequence[Loop], pools: Mapping[int, Pool], report: Sequence[BenchmarkCase], place: Path, stamp: str
) -> list[tuple[Loop, list[list[Entry]]]]:
    """All loops; those that another process is at come last, and are waited for."""
    found: list[tuple[Loop, list[list[Entry]]]] = []
    busy: list[Loop] = []
    for wait, todo in ((False, loops), (True, busy)):
        for loop in todo:
            folder = place / f"{loop.order}-{loop.seed}"
            try:
                with only_process_in(folder, wait):
                    found.append((loop, run_loop(loop, pools[loop.seed], report, folder, stamp)))
            except BusyError:
                busy.append(loop)
    return found


def _kept_scores(
    path: Path, settings: Mapping[str, Any], make: Callable[[], Bundle], report: Sequence[BenchmarkCase]
) -> list[Entry]:
    kept = read_kept(path, settings)
    if kept is None:
        print(path.stem, file=sys.stderr, flush=True)
        kept = {"cases": score_bundle(make(), report)}
        write_kept(path, settings, kept)
    cases: list[Entry] = kept["cases"]
    return cases


def _command(output: Path, names: Sequence[str]) -> str:
    rows = f" --rows {','.join(names)}" if names else ""
    # nobody else has the folders of this machine
    return f"s3net benchmark corrections --data DATA --output {output.name if output.is_absolute() else output}{rows}"
