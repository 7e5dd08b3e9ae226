"""From the scores of cases to the figures of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.statistics import compare, interval, summary
from benchmarks.few_labels.scores import DISTANCES, Entry
from benchmarks.few_labels.types import FewLabelsRow, Study

Draws = Mapping[int, Sequence[Entry]]  # the entries of `score_cell` by draw
Figures = Mapping[str, Any]  # of one cell, see `cell_figures`


def few_labels_results(
    rows: Sequence[FewLabelsRow], cells: Mapping[str, Mapping[str, Figures]], references: Sequence[str]
) -> list[dict[str, Any]]:
    """What the JSON holds of every row that has cells.

    Args:
        rows: in the order of the table.
        cells: by name of the row and of the column the figures, as far as there are any.
        references: names of the rows that the others are compared with.
    """
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "cells": {
                column: {
                    **figures,
                    "against": {
                        name: _against(figures, cells.get(name, {}).get(column))
                        for name in references
                        if name != row.name
                    },
                }
                for column, figures in cells[row.name].items()
            },
        }
        for row in rows
        if cells.get(row.name)
    ]


def cell_figures(draws: Draws, study: Study) -> dict[str, Any]:
    """Dice and distances of a cell.

    The mean Dice is over structures, cases of a patient, draws, and then patients (or slices, as the study says). Its
    interval is over patients: they are the sample, draws and frames are repeated looks at them.
    """
    values = _by_unit(draws, study)
    means = [float(np.mean(list(_by_unit({draw: entries}, study).values()))) for draw, entries in draws.items()]
    structures = {}
    for name in study.structures.values():
        found = [entry[name] for entries in draws.values() for entry in entries]
        distances = {each: summary(list(_by_unit(draws, study, name, each).values())) for each in DISTANCES}
        structures[name] = {
            "dice": summary(list(_by_unit(draws, study, name).values())),
            **{each: {key: figures[key] for key in ("count", "mean", "ci95")} for each, figures in distances.items()},
            "missing": sum(entry["missing"] for entry in found),
            "masks": len(found),
        }
    return {
        "draws": list(draws),
        "dice": {
            "mean": float(np.mean(list(values.values()))),
            "ci95": interval(np.array(list(values.values()))),
            "draw_means": means,
            "draw_std": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        },
        **{each: _mean_of([figures[each]["mean"] for figures in structures.values()]) for each in DISTANCES},
        "structures": structures,
        "units": values,
    }


def _against(figures: Figures, reference: Figures | None) -> dict[str, Any] | None:
    """Difference of the mean Dice from the reference's by unit, with its interval and a paired Wilcoxon test.

    None without a reference of the same draws: other labeled patients would make a difference of their own.
    """
    if reference is None or figures["draws"] != reference["draws"]:
        return None
    ours, theirs = figures["units"], reference["units"]
    differences = np.array([ours[unit] - theirs[unit] for unit in ours if unit in theirs])
    return {"draws": figures["draws"], **compare(ours, theirs), "ci95": interval(differences)}


def _by_unit(draws: Draws, study: Study, structure: str | None = None, metric: str = "dice") -> dict[str, float]:
    """Mean over a unit's known values, of one structure or of all; units without any are left out."""
    names = list(study.structures.values()) if structure is None else [structure]
    found: dict[str, list[float]] = {}
    for entries in draws.values():
        for entry in entries:
            unit = entry["case_id"].split("_")[0] if study.unit == "patient" else entry["case_id"]
            known = [entry[name][metric] for name in names if entry[name][metric] is not None]
            found.setdefault(unit, []).extend(known)
    return {unit: float(np.mean(values)) for unit, values in found.items() if values}


def _mean_of(values: Sequence[float | None]) -> float | None:
    """None where one is not known: a mean over other structures would not be comparable."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
