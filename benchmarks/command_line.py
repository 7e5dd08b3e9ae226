"""Arguments of ``python -m benchmarks``."""

from __future__ import annotations

from pathlib import Path

from s3net_monai.utils.argument_types import names
from s3net_monai.utils.printing import ArgumentParser
from s3net_monai.version import __version__

FEW_LABELS = ("cardiac", "abdomen")
LABEL_FREE = ("skin", "lung")
WITHOUT_DATA = ("speed", "faults")
BENCHMARKS = (*WITHOUT_DATA, *LABEL_FREE, *FEW_LABELS, "corrections")


def command_line() -> ArgumentParser:
    """Return the parser of the command line, whose help ends with an example."""
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description="Measure accuracy against other methods, speed and memory, or what faults do to a run.",
        epilog="example: python -m benchmarks skin --data data --output docs/benchmark/skin.json",
    )
    add = parser.add_argument
    add("--version", action="version", version=__version__)
    add(
        "benchmark",
        choices=BENCHMARKS,
        help="speed: this build, the one before the work on speed, and other software; "
        "faults: damaged files, kills, hostile servers, marked "
        "identifiers; skin, lung: every row of the accuracy table, some of which "
        "train; cardiac, abdomen: methods for few labels, all of which train; corrections: the skin weights "
        "fine-tuned on corrected masks, in the order of the active-learning strategy and at random",
    )
    add(
        "--output",
        required=True,
        type=Path,
        metavar="FILE.json",
        help="file for the numbers; .md and .png files are written beside it; the page of docs/benchmark/speed.json is "
        "docs/performance.md",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="all but faults: folder that holds skin/, lung/, cardiac/ and abdomen/; speed takes phantoms without it",
    )
    add(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for weights, environments and the scores of single cases, which the next run reuses; several "
        "processes may share it for cardiac, abdomen and corrections; default: benchmark_output",
    )
    add(
        "--rows",
        type=names,
        default=(),
        metavar="A,B",
        help="only these rows; skin and lung also take 'robustness' and 'ablation', corrections takes its orders, "
        "faults and speed their measurements. "
        "Names have hyphens for spaces and commas; an unknown name lists them",
    )
    add(
        "--labels",
        type=names,
        default=(),
        metavar="1,2",
        help="cardiac, abdomen: only these numbers of labeled patients; 'all' is one of them",
    )
    return parser
