"""``python -m benchmarks faults``: run the measurements one after the other, and keep those of earlier runs."""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.output import check_output, check_rows, machine_facts, rounded_numbers, write_json_and_page
from benchmarks.faults.page import TITLES, faults_page
from s3net_monai.utils.printing import print_note
from s3net_monai.version import __version__


def run_faults(output: Path, *, names: Sequence[str] = ()) -> None:
    """Run measurements, and write their JSON and Markdown page after each of them.

    Args:
        output: FILE.json; measurements in it that are not named remain.
        names: of the measurements; none means all.

    Raises:
        ValueError: for an unknown name, or an output that cannot be written.
    """
    check_rows("faults", names, TITLES)
    check_output(output, modules=())
    output.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))["rows"] if output.exists() else {}
    shown = output.name if output.is_absolute() else output
    for name in names or TITLES:
        print_note(TITLES[name])
        rows[name] = {**_measured(name), "package_version": __version__}
        result = {
            "command": f"python -m benchmarks faults --output {shown}",
            "machine": machine_facts(),
            "rows": {title: rows[title] for title in TITLES if title in rows},
        }
        result = rounded_numbers(result)
        write_json_and_page(result, faults_page(result), output)


def _measured(name: str) -> dict[str, Any]:
    module = importlib.import_module(f"benchmarks.faults.{name.replace('-', '_')}")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="s3net-faults-") as folder:
        measured: dict[str, Any] = module.measure(Path(folder))
    return {**measured, "seconds": time.perf_counter() - start}
