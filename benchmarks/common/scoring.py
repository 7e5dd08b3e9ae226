"""Run the rows over the cases; every score is kept in a file, so that a run which was killed goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.common.overlap import error_metrics, overlap_metrics
from benchmarks.common.protocols import PROTOCOLS
from benchmarks.common.types import BenchmarkCase, Predict, Row
from s3net_monai.evaluation.metrics import mask_metrics
from s3net_monai.utils.atomic import atomic_path

SAVE_INTERVAL = 30.0  # seconds of work that a killed run loses at most, beside the case it was at

Entry = dict[str, Any]


def score_row(row: Row, cases: Sequence[BenchmarkCase], seed: int, folder: Path, stamp: str) -> list[Entry]:
    """Scores of one row with one seed on the cases of one split, from ``folder`` where they were kept before.

    Args:
        row: is made ready only when a case is left to score, as that may train a network.
        cases: of one split; each ``row.every``-th is scored.
        seed: one of the row's.
        folder: for <row>-<split>-<seed>.json; delete the file to score anew.
        stamp: of whatever else the scores depend on, such as the checksum of weights; kept scores of another one are
            dropped.

    Returns:
        For each case "case_id", "seconds" of processor time (which other work on the machine does not change),
        "consistency", and by protocol a dict of metrics; of the protocols only "label-free" has surface distances.

    Raises:
        ValueError: when a prediction has not the shape of the truth.
    """
    chosen = cases[:: row.every]
    path = folder / f"{slug(row.name)}-{slug(chosen[0].split)}-{seed}.json"
    kept = _read(path, stamp)
    todo = [case for case in chosen if case.case_id not in kept]
    if todo:
        predict = row.prepare(seed)
        saved = time.perf_counter()
        for case in tqdm(todo, desc=f"{row.name}, {chosen[0].split}, seed {seed}", unit="case"):
            kept[case.case_id] = score_case(case, predict)
            if time.perf_counter() - saved > SAVE_INTERVAL:
                _write(path, stamp, kept)
                saved = time.perf_counter()
        _write(path, stamp, kept)
    return [kept[case.case_id] for case in chosen]


def score_case(case: BenchmarkCase, predict: Predict) -> Entry:
    """One entry, as `score_row` returns them.

    Raises:
        ValueError: when the prediction has not the shape of the truth.
    """
    started = time.process_time()
    partition = predict(case)
    seconds = time.process_time() - started if partition.seconds is None else partition.seconds
    for name, array in (("mask", partition.mask), ("clusters", partition.clusters)):
        if array.shape != case.truth.shape:
            raise ValueError(f"{case.image.name}: {name} of {array.shape}, expected the truth's {case.truth.shape}")
    entry: Entry = {"case_id": case.case_id, "seconds": seconds, "consistency": partition.consistency}
    for name, protocol in PROTOCOLS.items():
        mask = protocol(partition, case.truth)
        if name == "label-free":
            entry[name] = {**mask_metrics(mask, case.truth, case.spacing), **error_metrics(mask, case.truth)}
        else:
            entry[name] = overlap_metrics(mask, case.truth)
    return entry


def slug(name: str) -> str:
    """A name as part of a file name: lower case, everything but letters and digits replaced by single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _read(path: Path, stamp: str) -> dict[str, Entry]:
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {entry["case_id"]: entry for entry in stored["cases"]} if stored["stamp"] == stamp else {}


def _write(path: Path, stamp: str, entries: dict[str, Entry]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"stamp": stamp, "cases": list(entries.values())}), encoding="utf-8")
