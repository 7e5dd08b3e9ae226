"""Ablation of S3-Net: variants trained alike with the S3-Net losses alone.

The budget is reduced.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize

from benchmarks.common.scoring import slug
from benchmarks.common.train import train_variant
from benchmarks.common.types import BenchmarkCase
from benchmarks.common.work_folder import write_json
from benchmarks.label_free.trained_skin import SEEDS, losses_alone_settings
from benchmarks.label_free.variants import ABLATION, Overrides
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.transforms.skin_labeling import central_component, dice

LabeledImages = list[tuple[str, torch.Tensor, NDArray[np.bool_]]]


def run_ablation(task: str, *, data: Path, work: Path, cases: Sequence[BenchmarkCase]) -> list[dict[str, Any]]:
    """Return the mean label-free Dice of every variant on every report split.

    Images have the size of the network, and one view is segmented.

    Args:
        task: "skin"; "lung" has no ablation of parts, its table compares 2-D with 3-D instead.
        data: folder with skin/isic2018 and skin/ph2.
        work: folder for weights (models/) and scores (ablation/), which are reused.
        cases: cases of the report splits.

    Returns:
        For each variant its name "variant", its "overrides", and "splits": by name of the split the "mean" of the
        seeds' means, their standard deviation "std", and "seeds", the means themselves.
    """
    if task != "skin":
        return []
    base = losses_alone_settings(data, work)
    images: LabeledImages = []
    results = []
    for name, overrides in ABLATION.items():
        scores = [
            _score(name, {**base, **overrides}, seed=seed, work=work, cases=cases, images=images) for seed in SEEDS
        ]
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


def _score(
    name: str,
    overrides: Overrides,
    *,
    seed: int,
    work: Path,
    cases: Sequence[BenchmarkCase],
    images: LabeledImages,
) -> dict[str, float]:
    """Return Dice by split, from ``work`` if it is there.

    The first call that needs ``images`` fills the list.
    """
    folder = work / "models" / f"ablation-{slug(name)}-{seed}"
    weights = train_variant(bundle_root("skin"), overrides, seed=seed, folder=folder)
    path = work / "ablation" / f"{slug(name)}-{seed}.json"
    if path.is_file() and path.stat().st_mtime >= weights.stat().st_mtime:
        cached: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return cached
    bundle = load_bundle("skin", folder, torch.device("cpu"))
    if not images:
        images.extend(images_at_network_size(bundle, cases))
    scores = single_view_dice(bundle, images)
    write_json(path, scores)
    return scores


def images_at_network_size(bundle: Bundle, cases: Sequence[BenchmarkCase]) -> LabeledImages:
    """Return split, preprocessed image (3, X, Y) and truth (X, Y) of every case.

    All variants have the same preprocessing.
    """
    images = []
    for case in cases:
        image = bundle.preprocessing({"image": str(case.image)})["image"].as_tensor()
        images.append((case.split, image, resize(case.truth, image.shape[1:], order=0, anti_aliasing=False)))
    return images


@torch.inference_mode()
def single_view_dice(bundle: Bundle, images: LabeledImages) -> dict[str, float]:
    """Return the mean Dice by split of the central component of a mask from one view."""
    scores: dict[str, list[float]] = {}
    for split, image, truth in images:
        foreground = np.asarray(bundle.network(image[None].to(bundle.device))[0, 1].cpu()) > 0.5
        scores.setdefault(split, []).append(dice(central_component(foreground), truth))
    return {split: float(np.mean(values)) for split, values in scores.items()}
