"""The rows of the lung table, in its order."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common.types import Row
from benchmarks.label_free.baselines_lung import simple_rows
from benchmarks.label_free.released import shipped_row
from benchmarks.label_free.trained_lung import trained_rows


def lung_rows(data: Path, work: Path) -> list[Row]:
    """Simple methods, trained ones, the shipped weights; trained ones read ``data`` and keep weights in ``work``."""
    return [*simple_rows(), *trained_rows(data, work), shipped_row("lung")]
