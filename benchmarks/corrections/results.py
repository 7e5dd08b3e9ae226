"""Figures of the corrections page, from the scores of the annotators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.statistics import compare, fraction_failed, mean_over_seeds, summary

Entry = Mapping[str, Any]
REFERENCE = "random"  # the order that others are compared with
MAX_GAP = 0.02  # goal: the largest difference of the last step's Dice from that of the supervised network


def corrections_result(
    steps: Sequence[int],
    scores: Mapping[str, Mapping[int, Sequence[Sequence[Entry]]]],
    *,
    released: Sequence[Entry],
    supervised: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        steps: numbers of corrections.
        scores: by order and seed, for every step the entries of the report cases; an order may lack seeds, or all.
        released: entries of the weights before any correction.
        supervised: by split, the figures of the network with all masks, as ``_figures`` gives them; None if unknown.

    Returns:
        "steps"; "splits": number of cases; "released" (the released weights) and "supervised": ``_figures`` by split;
        "rows": for every order with scores "name", "seeds" and "cells" by step and split; "answers" by split as
        ``_answers`` gives them.
    """
    splits = list(dict.fromkeys(entry["split"] for entry in released))
    rows: list[dict[str, Any]] = []
    for name, by_seed in scores.items():
        if by_seed:
            cells = {
                str(step): _cell([by_step[index] for by_step in by_seed.values()], splits)
                for index, step in enumerate(steps)
            }
            rows.append({"name": name, "seeds": list(by_seed), "cells": cells})
    reference = next((row for row in rows if row["name"] == REFERENCE), None)
    dice = {
        row["name"]: {step: _dice_by_case(scores[row["name"]], index) for index, step in enumerate(steps)}
        for row in rows
    }
    for row in rows:
        for step in steps if reference is not None and row is not reference else ():
            for split in splits:
                own_dice, reference_dice = dice[row["name"]][step][split], dice[REFERENCE][step][split]
                row["cells"][str(step)][split]["against_random"] = compare(own_dice, reference_dice)
    return {
        "steps": list(steps),
        "splits": {split: sum(entry["split"] == split for entry in released) for split in splits},
        "released": _cell([released], splits),
        "supervised": supervised,
        "rows": rows,
        "answers": {
            split: _answers(steps, rows, split, reference=reference, supervised=supervised) for split in splits
        },
    }


def _cell(by_seed: Sequence[Sequence[Entry]], splits: Sequence[str]) -> dict[str, Any]:
    return {split: _figures([[e for e in entries if e["split"] == split] for entries in by_seed]) for split in splits}


def _figures(by_seed: Sequence[Sequence[Entry]]) -> dict[str, Any]:
    """Return the summary of the Dice over cases.

    It has the fraction below 0.5, and the mean of every seed with their standard deviation.
    """
    values = [entry["dice"] for entry in mean_over_seeds(by_seed)]
    means = [float(np.mean([entry["dice"] for entry in entries])) for entries in by_seed]
    failed = float(np.mean([fraction_failed([entry["dice"] for entry in entries]) for entries in by_seed]))
    std = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return {**summary(values), "below_half": failed, "by_seed": means, "seed_std": std}


def _dice_by_case(by_seed: Mapping[int, Sequence[Sequence[Entry]]], step_index: int) -> dict[str, dict[str, float]]:
    dice: dict[str, dict[str, float]] = {}
    for entry in mean_over_seeds([by_step[step_index] for by_step in by_seed.values()]):
        dice.setdefault(entry["split"], {})[entry["case_id"]] = entry["dice"]
    return dice


def _answers(
    steps: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    split: str,
    *,
    reference: Mapping[str, Any] | None,
    supervised: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Answer the two questions of the benchmark.

    "reached": by order, for each number of corrections at random the smallest number in that order with at least the
    same mean Dice, None if there is none. "short": by order, by how much the last step is below the supervised network,
    and "within", whether that is at most ``MAX_GAP``.
    """

    def mean(row: Mapping[str, Any], step: int) -> float:
        value: float = row["cells"][str(step)][split]["mean"]
        return value

    answers: dict[str, Any] = {"reached": {}, "short": {}}
    for row in rows:
        if reference is not None and row is not reference:
            answers["reached"][row["name"]] = {
                str(step): next((number for number in steps if mean(row, number) >= mean(reference, step)), None)
                for step in steps
            }
        if supervised is not None:
            gap = supervised[split]["mean"] - mean(row, steps[-1])
            answers["short"][row["name"]] = {"dice": gap, "within": gap <= MAX_GAP}
    return answers
