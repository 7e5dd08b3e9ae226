"""The cells of the few-label table: those that an earlier run left in its output, and those of the work folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.few_labels.results import Figures, cell_figures
from benchmarks.few_labels.scores import cell_digest, kept_scores
from benchmarks.few_labels.types import Cell, FewLabelsRow, Place, column_name

Cells = Mapping[str, Mapping[str, Figures]]  # by name of the row and of the column


def earlier_cells(output: Path, rows: Sequence[FewLabelsRow], place: Place) -> Cells:
    """The cells of an output that training and scoring with today's settings would give again.

    Work folders are large and do not last; the few numbers of the output do, so nobody has to train a whole table
    again to add a row to it.

    Raises:
        ValueError: for a file of something else.
    """
    if not output.is_file():
        return {}
    try:
        stored = json.loads(output.read_text(encoding="utf-8"))
        task, found = stored["task"], {row["name"]: row["cells"] for row in stored["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{output}: expected an earlier table of {place.study.task}; remove it, or name another"
        ) from error
    if task != place.study.task:
        raise ValueError(f"{output}: holds the table of {task}, expected {place.study.task}; name another output")
    known = {column_name(patients): patients for patients in place.study.columns}
    return {
        row.name: {
            column: figures
            for column, figures in found.get(row.name, {}).items()
            if column in known
            and figures.get("settings") == _digests(row, known[column], figures.get("draws", ()), place)
        }
        for row in rows
    }


def has_scores(cells: Cells, row: FewLabelsRow, patients: int | None, draws: Sequence[int]) -> bool:
    """Whether a cell has all these draws: its figures are means over them, so that one cannot be added."""
    figures = cells.get(row.name, {}).get(column_name(patients))
    return figures is not None and set(draws) <= set(figures["draws"])


def known_cells(
    rows: Sequence[FewLabelsRow], draws: Sequence[int], place: Place, earlier: Cells
) -> dict[str, dict[str, Figures]]:
    """All cells that there are scores of; an earlier one stands where the work folder has no more draws of it."""
    found: dict[str, dict[str, Figures]] = {}
    for row in rows:
        for patients in place.study.columns:
            column = column_name(patients)
            cell = earlier.get(row.name, {}).get(column)
            kept = {draw: kept_scores(row, Cell(patients, draw), place) for draw in draws}
            scores = {draw: entries for draw, entries in kept.items() if entries is not None}
            if scores and (cell is None or len(scores) > len(cell["draws"])):
                cell = {**cell_figures(scores, place.study), "settings": _digests(row, patients, list(scores), place)}
            if cell is not None:
                found.setdefault(row.name, {})[column] = cell
    return found


def _digests(row: FewLabelsRow, patients: int | None, draws: Sequence[int], place: Place) -> list[str]:
    return [cell_digest(row, Cell(patients, draw), place) for draw in draws]
