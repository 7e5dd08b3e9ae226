"""Scoring of rows over cases.

Every score is cached in a file, so that an interrupted run continues.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.overlap import error_metrics, overlap_metrics
from benchmarks.common.protocols import PROTOCOLS
from benchmarks.common.types import BenchmarkCase, Predict, Row
from benchmarks.common.work_folder import write_json
from s3net_monai.evaluation.metrics import mask_metrics
from s3net_monai.utils.printing import progress_bar

SAVE_INTERVAL = 30.0  # seconds of work that an interrupted run loses at most, beside its current case

Entry = dict[str, Any]


def score_row(row: Row, cases: Sequence[BenchmarkCase], *, seed: int, folder: Path, cache_key: str) -> list[Entry]:
    """Score one row with one seed on the cases of one split.

    Scores that ``folder`` has already are reused.

    Args:
        row: is prepared only when a case is left to score, as that may train a network.
        cases: cases of one split; each ``row.every``-th is scored.
        seed: one of the row's seeds.
        folder: folder of <row>-<split>-<seed>.json; delete the file to score again.
        cache_key: identifies everything else that the scores depend on, such as the checksum of weights; cached scores
            with another key are dropped.

    Returns:
        One entry per case with "case_id", "seconds" of processor time (which other work on the machine does not
        change), "consistency", and one dict of metrics per protocol. Of the protocols only "label-free" has surface
        distances.

    Raises:
        ValueError: When the shape of a prediction differs from that of the truth.
    """
    scored = cases[:: row.every]
    path = folder / f"{slug(row.name)}-{slug(scored[0].split)}-{seed}.json"
    entries = _read(path, cache_key)
    todo = [case for case in scored if case.case_id not in entries]
    if todo:
        predict = row.prepare(seed)
        saved = time.perf_counter()
        for case in progress_bar(todo, description=f"{row.name}, {scored[0].split}, seed {seed}", unit="case"):
            entries[case.case_id] = score_case(case, predict)
            if time.perf_counter() - saved > SAVE_INTERVAL:
                _write(path, cache_key, entries)
                saved = time.perf_counter()
        _write(path, cache_key, entries)
    return [entries[case.case_id] for case in scored]


def score_case(case: BenchmarkCase, predict: Predict) -> Entry:
    """Return the entry of one case as in ``score_row``.

    Raises:
        ValueError: When the shape of the prediction differs from that of the truth.
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
    """Return a name in lower case, with single hyphens for all but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _read(path: Path, cache_key: str) -> dict[str, Entry]:
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {entry["case_id"]: entry for entry in stored["cases"]} if stored.get("cache_key") == cache_key else {}


def _write(path: Path, cache_key: str, entries: dict[str, Entry]) -> None:
    write_json(path, {"cache_key": cache_key, "cases": list(entries.values())})
