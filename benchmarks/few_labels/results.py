"""Figures of rows and columns of the few-label table, from the scores of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.statistics import compare, interval, summary
from benchmarks.few_labels.scores import DISTANCES, Entry
from benchmarks.few_labels.types import FewLabelsRow, Study

Draws = Mapping[int, Sequence[Entry]]  # the entries of ``score_cell`` by draw
Figures = Mapping[str, Any]  # one cell as ``cell_figures`` returns it


def few_labels_results(
    rows: Sequence[FewLabelsRow], cells: Mapping[str, Mapping[str, Figures]], references: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what the JSON stores of every row that has cells.

    Args:
        rows: in the order of the table.
        cells: figures by name of the row and of the column, as far as there are any.
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
    """Return Dice and distances of a cell.

    The mean Dice is over structures, cases of a patient, draws, and then patients (or slices, as the study says). Its
    interval is over patients, which are the sample; draws and frames are repeated measurements of them.
    """
    values = _by_unit(draws, study)
    means = [float(np.mean(list(_by_unit({draw: entries}, study).values()))) for draw, entries in draws.items()]
    structures = {}
    for name in study.structures.values():
        metrics = [entry[name] for entries in draws.values() for entry in entries]
        distances = {key: summary(list(_by_unit(draws, study, name, key).values())) for key in DISTANCES}
        structures[name] = {
            "dice": summary(list(_by_unit(draws, study, name).values())),
            **{
                metric: {key: figures[key] for key in ("count", "mean", "ci95")}
                for metric, figures in distances.items()
            },
            "missing": sum(entry["missing"] for entry in metrics),
            "masks": len(metrics),
        }
    return {
        "draws": list(draws),
        "dice": {
            "mean": float(np.mean(list(values.values()))),
            "ci95": interval(np.array(list(values.values()))),
            "draw_means": means,
            "draw_std": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        },
        **{metric: _mean_of([figures[metric]["mean"] for figures in structures.values()]) for metric in DISTANCES},
        "structures": structures,
        "units": values,
    }


def _against(figures: Figures, reference: Figures | None) -> dict[str, Any] | None:
    """Return the difference of the mean Dice from the reference's, with interval and test.

    Units are paired.

    It is None without a reference of the same draws, since other labeled patients would make a difference of their own.
    """
    if reference is None or figures["draws"] != reference["draws"]:
        return None
    dice, reference_dice = figures["units"], reference["units"]
    differences = np.array([dice[unit] - reference_dice[unit] for unit in dice if unit in reference_dice])
    return {"draws": figures["draws"], **compare(dice, reference_dice), "ci95": interval(differences)}


def _by_unit(draws: Draws, study: Study, structure: str | None = None, metric: str = "dice") -> dict[str, float]:
    """Return the mean by unit over the values of one structure or of all.

    Units without values are left out.
    """
    names = list(study.structures.values()) if structure is None else [structure]
    by_unit: dict[str, list[float]] = {}
    for entries in draws.values():
        for entry in entries:
            unit = entry["case_id"].split("_")[0] if study.unit == "patient" else entry["case_id"]
            values = [entry[name][metric] for name in names if entry[name][metric] is not None]
            by_unit.setdefault(unit, []).extend(values)
    return {unit: float(np.mean(values)) for unit, values in by_unit.items() if values}


def _mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None if a value is None.

    A mean over fewer structures would not be comparable.
    """
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None
