"""What each part of S3-Net is worth: variants trained alike on a reduced budget with the S3-Net losses alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.transform import resize

from data_prep.pool import pool_datalists
from s3net_monai.benchmark.scoring import slug
from s3net_monai.benchmark.train import train_variant
from s3net_monai.benchmark.trained_skin import SEEDS, skin_datalists
from s3net_monai.benchmark.types import BenchmarkCase
from s3net_monai.benchmark.variants import ABLATION, ABLATION_BASE, Overrides
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.io.atomic import atomic_path
from s3net_monai.transforms.skin_cues import central_component, dice

_IMAGES_EVERY = 4
_VALIDATION_EVERY = 4


def run_ablation(task: str, data: Path, work: Path, cases: Sequence[BenchmarkCase]) -> list[dict[str, Any]]:
    """Mean label-free Dice of every variant on every report split, one view at the size of the network.

    Args:
        task: "skin"; for "lung" there is no ablation of parts, its table compares 2-D with 3-D instead.
        data: holds skin/isic2018 and skin/ph2.
        work: for weights (models/) and scores (ablation/), which are reused.
        cases: of the report splits.

    Returns:
        For each variant "variant", its "overrides", and "splits": by name of the split the "mean" of the seeds' means,
        their standard deviation "std", and "seeds", the means themselves.
    """
    if task != "skin":
        return []
    lists = skin_datalists(data, work)
    base = {
        **ABLATION_BASE,
        "train#dataset#data": pool_datalists(lists, "training")[::_IMAGES_EVERY],
        "validate#dataset#data": pool_datalists(lists, "validation")[::_VALIDATION_EVERY],
    }
    results = []
    for name, overrides in ABLATION.items():
        scores = [_score(name, {**base, **overrides}, seed, work, cases) for seed in SEEDS]
        splits = {
            split: {
                "mean": float(np.mean([score[split] for score in scores])),
                "std": float(np.std([score[split] for score in scores], ddof=1)),
                "seeds": [score[split] for score in scores],
            }
            for split in scores[0]
        }
        results.append({"variant": name, "overrides": overrides, "splits": splits})
    return results


def _score(name: str, overrides: Overrides, seed: int, work: Path, cases: Sequence[BenchmarkCase]) -> dict[str, float]:
    folder = work / "models" / f"ablation-{slug(name)}-{seed}"
    weights = train_variant(bundle_root("skin"), overrides, seed, folder)
    path = work / "ablation" / f"{slug(name)}-{seed}.json"
    if path.is_file() and path.stat().st_mtime >= weights.stat().st_mtime:
        kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    scores = single_view_dice(load_bundle("skin", folder, torch.device("cpu")), cases)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(scores), encoding="utf-8")
    return scores


def single_view_dice(bundle: Bundle, cases: Sequence[BenchmarkCase]) -> dict[str, float]:
    """Mean Dice by split of a network's central component on pictures, at the network's size and from one view."""
    means = {}
    for split, group in groupby(cases, key=lambda case: case.split):
        means[split] = float(np.mean([_dice(bundle, case) for case in group]))
    return means


@torch.inference_mode()
def _dice(bundle: Bundle, case: BenchmarkCase) -> float:
    image = bundle.preprocessing({"image": str(case.image)})["image"].as_tensor()
    foreground = np.asarray(bundle.network(image[None].to(bundle.device))[0, 1].cpu()) > 0.5
    truth = resize(case.truth, foreground.shape, order=0, anti_aliasing=False)
    return dice(central_component(foreground), truth)
