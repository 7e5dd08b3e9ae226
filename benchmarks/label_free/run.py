"""``python -m benchmarks skin|lung``: from the data to table, plots and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from benchmarks.common.cases import load_cases
from benchmarks.common.output import (
    check_output,
    machine_facts,
    recorded_command,
    rounded_numbers,
    write_json_and_page,
)
from benchmarks.common.results import row_results
from benchmarks.common.scoring import score_row, slug
from benchmarks.common.splits import LUNG_TRAINING_VOLUMES
from benchmarks.common.types import BenchmarkCase, Row
from benchmarks.common.work_folder import write_json
from s3net_monai.inference.bundle import bundle_root, model_file, read_metadata
from s3net_monai.utils.hashing import file_sha256
from s3net_monai.version import __version__

_MODULES = ("matplotlib", "sklearn")

Splits = dict[str, list[BenchmarkCase]]


class Part(Protocol):
    """One more part of the results beside the rows."""

    def __call__(self, task: str, *, data: Path, work: Path, cases: list[BenchmarkCase]) -> Any:
        """Return the JSON data of the part; nothing is written for empty data."""


def run_benchmark(task: str, data: Path, output: Path, *, work: Path, names: Sequence[str] = ()) -> dict[str, Any]:
    """Score the rows of a task on its report splits, and write the results.

    A .md file and _*.png files are written beside ``output``.

    Args:
        task: "skin" or "lung".
        data: folder with skin/ and lung/, see ``load_cases``.
        output: FILE.json.
        work: folder for weights and for scores of single cases, which are reused.
        names: rows, "robustness" or "ablation", as the table names them or with hyphens for anything but letters and
            digits; none means all. The files have only these.

    Raises:
        ValueError: For an unknown name, missing data or packages, or an output that is no .json file.
    """
    check_output(output, _MODULES)
    splits = {split: list(group) for split, group in groupby(load_cases(task, data), key=lambda case: case.split)}
    rows, parts = _chosen(_rows(task, data, work), names)
    result: dict[str, Any] = {
        "schema_version": 1,
        "command": recorded_command(task, output, rows=names),
        "package_version": __version__,
        "task": task,
        "model": _model(task),
        "machine": machine_facts(),
        "splits": {split: {"cases": len(cases), "unit": cases[0].unit} for split, cases in splits.items()},
        "rows": _score(rows, splits, work, release_key=_release_key(task)),
    }
    cases = [case for split_cases in splits.values() for case in split_cases]
    for name, part in parts.items():
        if part_result := part(task, data=data, work=work, cases=cases):
            result[name] = part_result
    result = rounded_numbers(result)
    write_results(result, output)
    return result


def write_results(result: dict[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the table and the plots that are made from it beside it."""
    from benchmarks.common.plots import write_plots
    from benchmarks.label_free.page import label_free_page

    output.parent.mkdir(parents=True, exist_ok=True)
    write_json_and_page(result, label_free_page(result, write_plots(result, output)), output)


def _rows(task: str, data: Path, work: Path) -> list[Row]:
    from benchmarks.label_free.rows import table_rows

    return table_rows(task, data, work)


def _robustness(task: str, *, data: Path, work: Path, cases: list[BenchmarkCase]) -> Any:
    from benchmarks.label_free.robustness import measure_robustness

    # Further volumes would show nothing that the first one does not, and take minutes per corruption.
    measured = [case for case in cases if case.split != LUNG_TRAINING_VOLUMES]
    return _cached(work / f"robustness-{_release_key(task)}.json", lambda: measure_robustness(task, measured))


def _ablation(task: str, *, data: Path, work: Path, cases: list[BenchmarkCase]) -> Any:
    from benchmarks.label_free.ablation import run_ablation

    return run_ablation(task, data=data, work=work, cases=cases)


_PARTS: dict[str, Part] = {"robustness": _robustness, "ablation": _ablation}


def _cached(path: Path, measure: Callable[[], Any]) -> Any:
    if not path.is_file():
        write_json(path, measure())
    return json.loads(path.read_text(encoding="utf-8"))


def _chosen(rows: list[Row], names: Sequence[str]) -> tuple[list[Row], dict[str, Part]]:
    slugs = [slug(name) for name in [*(row.name for row in rows), *_PARTS]]
    wanted = {slug(name) for name in names} or set(slugs)
    unknown = sorted(wanted - set(slugs))
    if unknown:
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(slugs)}")
    chosen = [row for row in rows if slug(row.name) in wanted]
    return chosen, {name: part for name, part in _PARTS.items() if name in wanted}


def _score(rows: list[Row], splits: Splits, work: Path, *, release_key: str) -> list[dict[str, Any]]:
    scores: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for row in rows:
        cache_key = release_key if row.kind == "released" else ""
        scores[row.name] = {
            split: [score_row(row, cases, seed=seed, folder=work / "rows", cache_key=cache_key) for seed in row.seeds]
            for split, cases in splits.items()
            if row.splits is None or split in row.splits
        }
    return row_results(rows, scores)


def _model(task: str) -> dict[str, str]:
    root = bundle_root(task)
    return {"name": root.name, "version": str(read_metadata(root)["version"]), "sha256": file_sha256(model_file(root))}


def _release_key(task: str) -> str:
    """Return the checksums of what the scores of the released weights depend on.

    The code is not among it.
    """
    root = bundle_root(task)
    return "-".join(file_sha256(path)[:12] for path in (model_file(root), root / "configs" / "inference.json"))
