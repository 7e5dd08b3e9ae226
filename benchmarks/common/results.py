"""From the scores of every case to the figures of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.protocols import PROTOCOLS
from benchmarks.common.quality import quality
from benchmarks.common.statistics import compare, mean_over_seeds, share_failed, summary
from benchmarks.common.types import Row

MIN_CASES_FOR_QUALITY = 3  # cases, for a correlation and a curve

Entry = dict[str, Any]
BySeed = Sequence[Sequence[Entry]]


def row_results(rows: Sequence[Row], scores: Mapping[str, Mapping[str, BySeed]]) -> list[dict[str, Any]]:
    """What the JSON holds of every row.

    The best simple method of a split is the row of kind "simple" with the highest mean label-free Dice there. Choosing
    it with the truth favors it, never the methods that are compared with it.

    Args:
        rows: in the order of the table.
        scores: by name of the row and by split the entries of `score_row` for every seed.
    """
    means = {
        name: {split: mean_over_seeds(found) for split, found in splits.items()} for name, splits in scores.items()
    }
    simple = [row.name for row in rows if row.kind == "simple"]
    best: dict[str, str] = {}
    for split in {split for name in simple for split in means[name]}:
        best[split] = max((name for name in simple if split in means[name]), key=lambda name: _mean(means[name][split]))
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "seeds": list(row.seeds),
            "every": row.every,
            "splits": {
                split: {
                    **_figures(entries, scores[row.name][split]),
                    "against_best_simple": _against(row.name, best.get(split), split, means),
                }
                for split, entries in means[row.name].items()
            },
        }
        for row in rows
    ]


def _figures(entries: list[Entry], by_seed: BySeed) -> dict[str, Any]:
    """Summaries over cases; the share of failures is taken over all seeds, as their mean would hide some."""
    seed_means = [_mean(found) for found in by_seed]
    result: dict[str, Any] = {
        "cases": _columns(entries),
        "seconds": float(np.mean([entry["seconds"] for entry in entries])),
        "seed_means": seed_means,
        "seed_std": float(np.std(seed_means, ddof=1)) if len(seed_means) > 1 else None,
    }
    for protocol in PROTOCOLS:
        metrics = entries[0][protocol]
        result[protocol] = {name: summary([entry[protocol][name] for entry in entries]) for name in metrics}
        dice = [entry[protocol]["dice"] for found in by_seed for entry in found]
        result[protocol]["share_failed"] = share_failed(dice)
    consistency = [entry["consistency"] for entry in entries]
    if None not in consistency and len(entries) >= MIN_CASES_FOR_QUALITY:
        result["quality"] = quality(consistency, [entry["label-free"]["dice"] for entry in entries])
    return result


def _columns(entries: list[Entry]) -> dict[str, Any]:
    """One list a quantity in place of one dict a case: a fraction of the size."""
    return {
        key: _columns([entry[key] for entry in entries])
        if isinstance(entries[0][key], dict)
        else [entry[key] for entry in entries]
        for key in entries[0]
    }


def _against(
    name: str, reference: str | None, split: str, means: Mapping[str, Mapping[str, list[Entry]]]
) -> dict[str, Any] | None:
    if reference is None or reference == name:
        return None
    return {"name": reference, **compare(_dice_by_case(means[name][split]), _dice_by_case(means[reference][split]))}


def _dice_by_case(entries: Sequence[Entry]) -> dict[str, float]:
    return {entry["case_id"]: entry["label-free"]["dice"] for entry in entries}


def _mean(entries: Sequence[Entry]) -> float:
    return float(np.mean([entry["label-free"]["dice"] for entry in entries]))
