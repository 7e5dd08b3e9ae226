"""From the scores of the correction loop to the figures of its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.statistics import compare, mean_over_seeds, share_failed, summary

Entry = Mapping[str, Any]
REFERENCE = "random"  # the order that others are compared with
GOAL = 0.02  # how near to the supervised network the last step is to come


def corrections_result(
    steps: Sequence[int],
    scores: Mapping[str, Mapping[int, Sequence[Sequence[Entry]]]],
    shipped: Sequence[Entry],
    supervised: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What the page shows, by split.

    Args:
        steps: numbers of corrections.
        scores: by order and seed, for every step the entries of the report cases; an order may lack seeds, or all.
        shipped: entries of the weights before any correction.
        supervised: by split, the figures of the network with all masks, as `_figures` gives them.

    Returns:
        "steps"; "splits": number of cases; "shipped" and "supervised" (None where unknown): `_figures` by split;
        "rows": for every order with scores "name", "seeds" and "cells" by step and split; "answers" by split, see
        `_answers`.
    """
    splits = list(dict.fromkeys(entry["split"] for entry in shipped))
    rows: list[dict[str, Any]] = []
    for name, by_seed in scores.items():
        if by_seed:
            cells = {
                str(step): _cell([found[place] for found in by_seed.values()], splits)
                for place, step in enumerate(steps)
            }
            rows.append({"name": name, "seeds": list(by_seed), "cells": cells})
    reference = next((row for row in rows if row["name"] == REFERENCE), None)
    dice = {
        row["name"]: {step: _dice_by_case(scores[row["name"]], place) for place, step in enumerate(steps)}
        for row in rows
    }
    for row in rows:
        for step in steps if reference is not None and row is not reference else ():
            for split in splits:
                own, other = dice[row["name"]][step][split], dice[REFERENCE][step][split]
                row["cells"][str(step)][split]["against_random"] = compare(own, other)
    return {
        "steps": list(steps),
        "splits": {split: sum(entry["split"] == split for entry in shipped) for split in splits},
        "shipped": _cell([shipped], splits),
        "supervised": supervised,
        "rows": rows,
        "answers": {split: _answers(steps, rows, reference, supervised, split) for split in splits},
    }


def _cell(by_seed: Sequence[Sequence[Entry]], splits: Sequence[str]) -> dict[str, Any]:
    return {split: _figures([[e for e in entries if e["split"] == split] for entries in by_seed]) for split in splits}


def _figures(by_seed: Sequence[Sequence[Entry]]) -> dict[str, Any]:
    """Summary of the mean Dice a case, share below 0.5, and the mean of every seed with their standard deviation."""
    values = [entry["dice"] for entry in mean_over_seeds(by_seed)]
    means = [float(np.mean([entry["dice"] for entry in entries])) for entries in by_seed]
    failed = float(np.mean([share_failed([entry["dice"] for entry in entries]) for entries in by_seed]))
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return {**summary(values), "below_half": failed, "by_seed": means, "seed_std": spread}


def _dice_by_case(by_seed: Mapping[int, Sequence[Sequence[Entry]]], place: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for entry in mean_over_seeds([entries[place] for entries in by_seed.values()]):
        found.setdefault(entry["split"], {})[entry["case_id"]] = entry["dice"]
    return found


def _answers(
    steps: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    reference: Mapping[str, Any] | None,
    supervised: Mapping[str, Any] | None,
    split: str,
) -> dict[str, Any]:
    """The two questions of the loop.

    "reached": by order, for each number of corrections at random the least number in that order with the same mean
    Dice or more, None where there is none. "short": by order, how much the last step lacks to the supervised network,
    and "within": whether that is at most ``GOAL``.
    """

    def mean(row: Mapping[str, Any], step: int) -> float:
        value: float = row["cells"][str(step)][split]["mean"]
        return value

    found: dict[str, Any] = {"reached": {}, "short": {}}
    for row in rows:
        if reference is not None and row is not reference:
            found["reached"][row["name"]] = {
                str(step): next((other for other in steps if mean(row, other) >= mean(reference, step)), None)
                for step in steps
            }
        if supervised is not None:
            short = supervised[split]["mean"] - mean(row, steps[-1])
            found["short"][row["name"]] = {"dice": short, "within": short <= GOAL}
    return found
