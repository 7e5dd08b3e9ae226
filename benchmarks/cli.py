"""The command ``python -m benchmarks``.

Imports are inside the functions, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command_line import FEW_LABELS, WITHOUT_DATA, command_line
from s3net_monai.utils.console import log_to_stderr
from s3net_monai.utils.printing import print_note, print_result
from s3net_monai.utils.reasons import error_lines
from s3net_monai.utils.signals import ending_signals_as_keyboard_interrupt

OK, INTERRUPTED, UNUSABLE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and return its exit code.

    The code is 0 for success, 1 for an interrupted run, and 2 for a run that is not possible.
    """
    arguments = command_line().parse_args(argv)
    log_to_stderr()
    try:
        with ending_signals_as_keyboard_interrupt():
            print_result(*_run(arguments).split("\n"))
    except KeyboardInterrupt:
        print_note("benchmarks: interrupted")
        return INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        first, *more = error_lines(error)
        print_note(f"benchmarks: error: {first}", *more)
        return UNUSABLE
    return OK


def _run(arguments: argparse.Namespace) -> str:
    """Run the benchmark and return its Markdown page."""
    _check(arguments)
    data, output, rows = arguments.data, arguments.output, arguments.rows
    all_work = arguments.work or Path("benchmark_output")
    written = output.with_suffix(".md")
    if arguments.benchmark == "speed":
        from benchmarks.speed.measure import Plan
        from benchmarks.speed.run import run_speed

        written = run_speed(output, Plan(work=all_work / "speed", data=data), names=rows)
    elif arguments.benchmark == "faults":
        from benchmarks.faults.run import run_faults

        run_faults(output, names=rows)
    elif arguments.benchmark == "corrections":
        from benchmarks.corrections.run import run_corrections

        run_corrections(data, output, work=all_work, names=rows)
    elif arguments.benchmark in FEW_LABELS:
        from benchmarks.few_labels.rows import STUDIES
        from benchmarks.few_labels.run import run_few_labels

        work = all_work / arguments.benchmark
        run_few_labels(STUDIES[arguments.benchmark], data, output, work=work, names=rows, labels=arguments.labels)
    else:
        from benchmarks.label_free.run import run_benchmark

        work = all_work / arguments.benchmark
        run_benchmark(arguments.benchmark, data, output, work=work, names=rows)
    page: str = written.read_text(encoding="utf-8")
    return page


def _check(arguments: argparse.Namespace) -> None:
    name, few_labels = arguments.benchmark, arguments.benchmark in FEW_LABELS
    if name in WITHOUT_DATA:
        unused = ("labels",) if name == "speed" else ("data", "work", "labels")
        given = [option for option in unused if getattr(arguments, option)]
        if given:
            raise ValueError(f"{name}: --{given[0]} is for the other benchmarks; leave it out")
        return
    if arguments.data is None:
        folders = f"{name}/" if few_labels else "skin/ and lung/"
        raise ValueError(f"{name}: --data is missing; give the folder that holds {folders}")
    if arguments.labels and not few_labels:
        raise ValueError(f"{name}: --labels is for {' and '.join(FEW_LABELS)}; leave it out")
