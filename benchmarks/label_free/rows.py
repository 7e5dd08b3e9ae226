"""Rows of the skin and the lung table, in their order."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common.types import Row
from benchmarks.label_free import baselines_lung, baselines_skin, trained_lung, trained_skin
from benchmarks.label_free.released import released_row


def table_rows(task: str, data: Path, work: Path) -> list[Row]:
    """Return the baselines, the methods that train or fit a network, and the released weights.

    Nothing is read or trained before a row is prepared.

    Args:
        task: "skin" or "lung".
        data: root of the data, which the trained methods read.
        work: folder where the trained methods keep datalists and weights.
    """
    if task == "skin":
        rows = [*baselines_skin.baseline_rows(), *trained_skin.trained_rows(data, work)]
    else:
        rows = [*baselines_lung.baseline_rows(), *trained_lung.trained_rows(data, work)]
    return [*rows, released_row(task)]
