"""Cells of the few-label table, from an earlier output and from the work folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.few_labels.results import Figures, cell_figures
from benchmarks.few_labels.scores import cached_scores, cell_digest
from benchmarks.few_labels.types import Cell, FewLabelsRow, RunContext, column_name

Cells = Mapping[str, Mapping[str, Figures]]  # by name of the row and of the column


def earlier_cells(output: Path, rows: Sequence[FewLabelsRow], context: RunContext) -> Cells:
    """Return the cells of an earlier output whose settings are still the same.

    Work folders are large and do not last, but the few numbers of the output do. So a row can be added to a table
    without training the others again.

    Raises:
        ValueError: For a file that is no table of this task.
    """
    if not output.is_file():
        return {}
    task_name = context.study.task
    try:
        stored = json.loads(output.read_text(encoding="utf-8"))
        task, stored_cells = stored["task"], {row["name"]: row["cells"] for row in stored["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{output}: expected an earlier table of {task_name}; remove it, or name another") from error
    if task != task_name:
        raise ValueError(f"{output}: holds the table of {task}, expected {task_name}; name another output")
    columns = {column_name(patients): patients for patients in context.study.columns}
    return {
        row.name: {
            column: figures
            for column, figures in stored_cells.get(row.name, {}).items()
            if column in columns
            and figures.get("settings") == _digests(row, columns[column], figures.get("draws", ()), context=context)
        }
        for row in rows
    }


def has_scores(cells: Cells, row: FewLabelsRow, *, patients: int | None, draws: Sequence[int]) -> bool:
    """Return whether a cell has all these draws.

    A draw cannot be added to figures that are means over draws.
    """
    figures = cells.get(row.name, {}).get(column_name(patients))
    return figures is not None and set(draws) <= set(figures["draws"])


def scored_cells(
    rows: Sequence[FewLabelsRow], draws: Sequence[int], context: RunContext, *, earlier: Cells
) -> dict[str, dict[str, Figures]]:
    """Return all cells with scores.

    An earlier cell is used unless the work folder has more draws of it.
    """
    cells: dict[str, dict[str, Figures]] = {}
    for row in rows:
        for patients in context.study.columns:
            column = column_name(patients)
            cell = earlier.get(row.name, {}).get(column)
            cached = {draw: cached_scores(row, Cell(patients, draw), context) for draw in draws}
            scores = {draw: entries for draw, entries in cached.items() if entries is not None}
            if scores and (cell is None or len(scores) > len(cell["draws"])):
                settings = _digests(row, patients, list(scores), context=context)
                cell = {**cell_figures(scores, context.study), "settings": settings}
            if cell is not None:
                cells.setdefault(row.name, {})[column] = cell
    return cells


def _digests(row: FewLabelsRow, patients: int | None, draws: Sequence[int], *, context: RunContext) -> list[str]:
    return [cell_digest(row, Cell(patients, draw), context) for draw in draws]
