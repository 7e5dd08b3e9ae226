"""Output files of the benchmarks: JSON, and a Markdown page that is made from it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.scoring import slug
from s3net_monai.utils.atomic import atomic_path

_DIGITS = 5  # significant digits of every number in the file; not decimals, as p-values are small


def check_output(output: Path, modules: Sequence[str]) -> None:
    """Check before hours of work that the results can be written after them.

    Args:
        output: FILE.json.
        modules: modules of the optional dependencies that the benchmark needs.

    Raises:
        ValueError: For another suffix than .json, and for a module that is not installed.
    """
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected a name that ends in .json; .md and .png files are written beside it")
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(
            f"{missing[0]} is not installed; run in the checkout: pip install -c constraints.txt '.[benchmark]'"
        )


def check_rows(benchmark: str, names: Sequence[str], known: Collection[str]) -> None:
    """Check that every name given to ``--rows`` is known.

    Raises:
        ValueError: For another name.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{benchmark}: row {unknown[0]!r} is not known; give one or more of {','.join(known)}")


def recorded_command(benchmark: str, output: Path, *, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> str:
    """Return the command to record in the results, without folders of this machine.

    Args:
        benchmark: name on the command line.
        output: FILE.json; an absolute path is shortened to its name.
        rows: value of ``--rows``.
        columns: value of ``--labels``.
    """
    shown = output.name if output.is_absolute() else output
    command = f"python -m benchmarks {benchmark} --data DATA --output {shown}"
    command += f" --rows {','.join(map(slug, rows))}" if rows else ""
    return command + (f" --labels {','.join(columns)}" if columns else "")


def machine_facts() -> dict[str, Any]:
    """Return the number of cores and threads, and the version of PyTorch."""
    return {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def write_json_and_page(result: Mapping[str, Any], page: str, output: Path) -> None:
    """Write ``output`` as JSON and the Markdown page beside it, each as a whole or not at all."""
    for path, text in ((output, json_text(result)), (output.with_suffix(".md"), page)):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def rounded_numbers(value: Any) -> Any:
    """Return JSON data with every float rounded to ``_DIGITS`` significant digits."""
    if isinstance(value, dict):
        return {key: rounded_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded_numbers(item) for item in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def json_text(result: Mapping[str, Any]) -> str:
    """Return a result as JSON with the numbers of a list on one line.

    One line per value would be unreadable.
    """
    text = json.dumps(result, indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda match: re.sub(r"\s+", " ", match[0]), text) + "\n"
