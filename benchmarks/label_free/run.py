"""``python -m benchmarks skin|lung``: one command from the data to the table, the plots and their numbers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.cases import load_cases
from benchmarks.common.results import row_results
from benchmarks.common.scoring import score_row, slug
from benchmarks.common.types import BenchmarkCase, Row
from s3net_monai.inference.bundle import bundle_root, model_file, read_metadata
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.hashing import file_sha256
from s3net_monai.version import __version__

_EXTRA = ("matplotlib", "sklearn")
_DIGITS = 5  # of every number in the file; significant ones, as p-values are small

Splits = dict[str, list[BenchmarkCase]]
Part = Callable[[str, Path, Path, list[BenchmarkCase]], Any]


def run_benchmark(task: str, data: Path, output: Path, work: Path, names: Sequence[str] = ()) -> dict[str, Any]:
    """Score the rows of a task on its report splits and write ``output`` with .md and _*.png beside it.

    Args:
        task: "skin" or "lung".
        data: folder that holds skin/ and lung/, see `load_cases`.
        output: FILE.json.
        work: folder for weights, and for scores of single cases; what lies there is not computed again.
        names: rows, "robustness" or "ablation", as the table names them or with hyphens for anything but letters and
            digits; none means all. The files then hold only these.

    Raises:
        ValueError: for an unknown name, missing data or packages, or an output that is no .json file.
    """
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected a name that ends in .json; .md and .png files are written beside it")
    missing = [module for module in _EXTRA if importlib.util.find_spec(module) is None]
    if missing:  # asked before the hours of work, not after them
        raise ValueError(f"{missing[0]} is not installed; run: pip install 's3net-monai[benchmark]'")
    splits = {split: list(group) for split, group in groupby(load_cases(task, data), key=lambda case: case.split)}
    rows, parts = _chosen(_rows(task, data, work), names)
    model = _model(task)
    result: dict[str, Any] = {
        "schema_version": 1,
        "command": _command(task, output, names),
        "package_version": __version__,
        "task": task,
        "model": model,
        "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "splits": {split: {"cases": len(cases), "unit": cases[0].unit} for split, cases in splits.items()},
        "rows": _score(rows, splits, work, _stamp(task)),
    }
    for name, part in parts.items():
        if found := part(task, data, work, [case for cases in splits.values() for case in cases]):
            result[name] = found
    result = rounded_numbers(result)
    write_results(result, output)
    return result


def write_results(result: dict[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the table and the plots that are drawn from it beside it."""
    from benchmarks.common.markdown import markdown
    from benchmarks.common.plots import write_plots

    output.parent.mkdir(parents=True, exist_ok=True)
    plots = write_plots(result, output)
    for path, text in ((output, json_text(result)), (output.with_suffix(".md"), markdown(result, plots))):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _rows(task: str, data: Path, work: Path) -> list[Row]:
    if task == "skin":
        from benchmarks.label_free.skin import skin_rows as rows
    else:
        from benchmarks.label_free.lung import lung_rows as rows
    return rows(data, work)


def _robustness(task: str, data: Path, work: Path, cases: list[BenchmarkCase]) -> Any:
    from benchmarks.label_free.robustness import measure_robustness

    # a second pair of volumes shows nothing that the first volume does not, and takes minutes a change
    chosen = [case for case in cases if case.split != "volumes id001-002"]
    return _kept(work / f"robustness-{_stamp(task)}.json", lambda: measure_robustness(task, chosen))


def _ablation(task: str, data: Path, work: Path, cases: list[BenchmarkCase]) -> Any:
    from benchmarks.label_free.ablation import run_ablation

    return run_ablation(task, data, work, cases)


_PARTS: dict[str, Part] = {"robustness": _robustness, "ablation": _ablation}


def _kept(path: Path, measure: Callable[[], Any]) -> Any:
    if not path.is_file():
        found = measure()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def _chosen(rows: list[Row], names: Sequence[str]) -> tuple[list[Row], dict[str, Part]]:
    known = {slug(name): name for name in [*(row.name for row in rows), *_PARTS]}
    wanted = {slug(name) for name in names} or set(known)
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(known)}")
    chosen = [row for row in rows if slug(row.name) in wanted]
    return chosen, {name: part for name, part in _PARTS.items() if name in wanted}


def _score(rows: list[Row], splits: Splits, work: Path, shipped: str) -> list[dict[str, Any]]:
    scores: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for row in rows:
        stamp = shipped if row.kind == "shipped" else ""
        scores[row.name] = {
            split: [score_row(row, cases, seed, work / "rows", stamp) for seed in row.seeds]
            for split, cases in splits.items()
            if row.splits is None or split in row.splits
        }
    return row_results(rows, scores)


def _model(task: str) -> dict[str, str]:
    root = bundle_root(task)
    return {"name": root.name, "version": str(read_metadata(root)["version"]), "sha256": file_sha256(model_file(root))}


def _stamp(task: str) -> str:
    """Of what the scores of the shipped weights depend on, beside the code."""
    root = bundle_root(task)
    return "-".join(file_sha256(path)[:12] for path in (model_file(root), root / "configs" / "inference.json"))


def _command(task: str, output: Path, names: Sequence[str]) -> str:
    rows = f" --rows {','.join(map(slug, names))}" if names else ""
    # nobody else has the folders of this machine
    return f"python -m benchmarks {task} --data DATA --output {output.name if output.is_absolute() else output}{rows}"


def rounded_numbers(value: Any) -> Any:
    """The same with every float, however deep, at ``_DIGITS`` significant digits."""
    if isinstance(value, dict):
        return {key: rounded_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded_numbers(item) for item in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def json_text(result: dict[str, Any]) -> str:
    """JSON of a result, with the numbers of a list on one line."""
    # numbers of one list on one line: a value a line would make the file unreadable
    text = json.dumps(result, indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"
