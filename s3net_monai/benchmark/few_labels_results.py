"""From the scores of cases to the figures of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s3net_monai.benchmark.few_labels_scores import DISTANCES, Entry
from s3net_monai.benchmark.few_labels_types import FewLabelsRow, Study, column_name
from s3net_monai.benchmark.statistics import compare, interval, summary

# by name of the row, column and draw the entries of `score_cell`
Scores = Mapping[str, Mapping[int | None, Mapping[int, Sequence[Entry]]]]
Draws = Mapping[int, Sequence[Entry]]


def few_labels_results(
    rows: Sequence[FewLabelsRow], scores: Scores, study: Study, references: Sequence[str]
) -> list[dict[str, Any]]:
    """What the JSON holds of every row that has scores, a cell for every column that has some.

    A cell's mean Dice is over structures, cases of a patient, draws, and then patients (or slices, as the study says).
    Its interval and its test are over patients: they are the sample, draws and frames are repeated looks at them.

    Args:
        rows: in the order of the table.
        scores: as far as there are any.
        study: names the columns, structures and the unit.
        references: names of the rows that the others are compared with, on the draws that both have.
    """
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "cells": {
                column_name(patients): {
                    **_figures(scores[row.name][patients], study),
                    "against": {
                        name: _against(scores[row.name][patients], scores.get(name, {}).get(patients, {}), study)
                        for name in references
                        if name != row.name
                    },
                }
                for patients in study.columns
                if scores[row.name].get(patients)
            },
        }
        for row in rows
        if any(scores.get(row.name, {}).values())
    ]


def _figures(draws: Draws, study: Study) -> dict[str, Any]:
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


def _against(draws: Draws, reference: Draws, study: Study) -> dict[str, Any] | None:
    """Difference of the mean Dice from the reference's by unit, with its interval and a paired Wilcoxon test."""
    common = [draw for draw in draws if draw in reference]
    if not common:
        return None
    ours, theirs = (_by_unit({draw: each[draw] for draw in common}, study) for each in (draws, reference))
    differences = np.array([ours[unit] - theirs[unit] for unit in ours if unit in theirs])
    return {"draws": common, **compare(ours, theirs), "ci95": interval(differences)}


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
