"""Figures of every row of the label-free tables, from the scores of every case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.protocols import PROTOCOLS
from benchmarks.common.quality import quality
from benchmarks.common.statistics import compare, fraction_failed, mean_over_seeds, summary
from benchmarks.common.types import Row

MIN_CASES_FOR_QUALITY = 3  # a correlation and a curve need as many cases

Entry = dict[str, Any]
BySeed = Sequence[Sequence[Entry]]


def row_results(rows: Sequence[Row], scores: Mapping[str, Mapping[str, BySeed]]) -> list[dict[str, Any]]:
    """Return what the JSON stores of every row.

    The best baseline of a split is the row of kind "simple" with the highest mean label-free Dice there. Choosing it
    with the ground truth favors the baseline, never the methods that are compared with it.

    Args:
        rows: in the order of the table.
        scores: by row name and split, the entries of ``score_row`` for every seed.
    """
    means = {
        name: {split: mean_over_seeds(by_seed) for split, by_seed in splits.items()} for name, splits in scores.items()
    }
    baselines = [row.name for row in rows if row.kind == "simple"]
    best: dict[str, str] = {}
    for split in {split for name in baselines for split in means[name]}:
        scored = [name for name in baselines if split in means[name]]
        best[split] = max(scored, key=lambda name: _mean(means[name][split]))
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "seeds": list(row.seeds),
            "every": row.every,
            "splits": {
                split: {
                    **_figures(entries, scores[row.name][split]),
                    "against_best_simple": _against(row.name, best.get(split), split=split, means=means),
                }
                for split, entries in means[row.name].items()
            },
        }
        for row in rows
    ]


def _figures(entries: list[Entry], by_seed: BySeed) -> dict[str, Any]:
    """Summarize over cases.

    Failures are counted over all seeds, as the mean over seeds would hide some.
    """
    seed_means = [_mean(seed_entries) for seed_entries in by_seed]
    result: dict[str, Any] = {
        "cases": _columns(entries),
        "seconds": float(np.mean([entry["seconds"] for entry in entries])),
        "seed_means": seed_means,
        "seed_std": float(np.std(seed_means, ddof=1)) if len(seed_means) > 1 else None,
    }
    for protocol in PROTOCOLS:
        metrics = entries[0][protocol]
        result[protocol] = {name: summary([entry[protocol][name] for entry in entries]) for name in metrics}
        dice = [entry[protocol]["dice"] for seed_entries in by_seed for entry in seed_entries]
        result[protocol]["share_failed"] = fraction_failed(dice)
    consistency = [entry["consistency"] for entry in entries]
    if None not in consistency and len(entries) >= MIN_CASES_FOR_QUALITY:
        result["quality"] = quality(consistency, [entry["label-free"]["dice"] for entry in entries])
    return result


def _columns(entries: list[Entry]) -> dict[str, Any]:
    """Return one list per quantity, which takes a fraction of the space of one dict per case."""
    return {
        key: _columns([entry[key] for entry in entries])
        if isinstance(entries[0][key], dict)
        else [entry[key] for entry in entries]
        for key in entries[0]
    }


def _against(
    name: str, reference: str | None, *, split: str, means: Mapping[str, Mapping[str, list[Entry]]]
) -> dict[str, Any] | None:
    if reference is None or reference == name:
        return None
    return {"name": reference, **compare(_dice_by_case(means[name][split]), _dice_by_case(means[reference][split]))}


def _dice_by_case(entries: Sequence[Entry]) -> dict[str, float]:
    return {entry["case_id"]: entry["label-free"]["dice"] for entry in entries}


def _mean(entries: Sequence[Entry]) -> float:
    return float(np.mean([entry["label-free"]["dice"] for entry in entries]))
