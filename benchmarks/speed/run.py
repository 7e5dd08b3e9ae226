"""``python -m benchmarks speed``: measure one item after the other, and keep those of earlier runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.output import check_output, check_rows, json_text, recorded_command, rounded_numbers
from benchmarks.speed import inputs
from benchmarks.speed.environments import BEFORE, ROOT, build_before, this_build
from benchmarks.speed.items import NAMES
from benchmarks.speed.measure import MEASURES, Plan
from benchmarks.speed.measured import Build, MeasureError, run_segment
from benchmarks.speed.page import speed_page
from benchmarks.speed.plot import write_speed_plot
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.printing import print_note
from s3net_monai.version import __version__

COMMITTED = ROOT / "docs" / "benchmark" / "speed.json"


def run_speed(output: Path, plan: Plan, *, names: Sequence[str] = ()) -> Path:
    """Measure items, write their JSON, plot and page after each of them, and return the path of the page.

    An item that fails is reported and the others go on.

    Args:
        output: FILE.json; items in it that are not named remain.
        plan: sizes and numbers of runs.
        names: of the items; none means all.

    Raises:
        ValueError: for an unknown name, or an output that cannot be written.
    """
    check_rows("speed", names, NAMES)
    check_output(output, modules=["matplotlib"])
    output.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))["rows"] if output.exists() else {}
    plan = replace(plan, work=plan.work.absolute(), data=plan.data.absolute() if plan.data else None)
    _compile_all(plan)
    for name in names or NAMES:
        print_note(f"speed: {name}")
        started = time.perf_counter()
        rows[name] = {**_measured(name, plan), "package_version": __version__}
        print_note(f"speed: {name}, {time.perf_counter() - started:.0f} s")
        write_speed(
            {
                "command": recorded_command("speed", output),
                "machine": {"cores": len(os.sched_getaffinity(0)), "torch": torch.__version__},
                "before": BEFORE,
                "rows": {known: rows[known] for known in NAMES if known in rows},
            },
            output,
        )
    return page_path(output)


def write_speed(result: dict[str, Any], output: Path) -> None:
    """Write a result as JSON, with its plot and its page."""
    result = rounded_numbers(result)
    plot = write_speed_plot(result, output.with_suffix(".png"))
    page = page_path(output)
    shown = None if plot is None else Path(os.path.relpath(plot, page.parent))
    for path, text in ((output, json_text(result)), (page, speed_page(result, shown))):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def page_path(output: Path) -> Path:
    """Return the page of a JSON file: beside it, and for the committed numbers ``docs/performance.md``."""
    if output.resolve() == COMMITTED:
        return ROOT / "docs" / "performance.md"
    return output.with_suffix(".md")


def _measured(name: str, plan: Plan) -> dict[str, Any]:
    try:
        return MEASURES[name](plan)
    except (MeasureError, OSError, ValueError, LookupError) as error:
        print_note(f"{name}: {error}")
        return {"failed": {name: str(error)}}


def _compile_all(plan: Plan) -> None:
    """Segment a small picture with both builds, since the first run of an environment compiles its modules."""
    picture = next(inputs.pictures(plan.work, 1, 256).iterdir())

    def once(build: Build) -> None:
        run_segment(build, [picture], task="skin")

    for make in (this_build, lambda: build_before(plan.work)):
        try:
            once(make())
        except MeasureError as error:
            print_note(f"speed: {error}")
