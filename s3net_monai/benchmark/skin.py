"""The rows of the skin table, in its order."""

from __future__ import annotations

from pathlib import Path

from s3net_monai.benchmark.shipped import shipped_row
from s3net_monai.benchmark.simple_skin import simple_rows
from s3net_monai.benchmark.trained_skin import trained_rows
from s3net_monai.benchmark.types import Row


def skin_rows(data: Path, work: Path) -> list[Row]:
    """Simple methods, trained ones, the shipped weights; trained ones read ``data`` and keep weights in ``work``."""
    return [*simple_rows(), *trained_rows(data, work), shipped_row("skin")]
