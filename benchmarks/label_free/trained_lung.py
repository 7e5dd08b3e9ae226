"""Rows of the lung table that train or fit a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.splits import LUNG_SLICES
from benchmarks.common.train import train_variant
from benchmarks.common.types import Predict, Row
from benchmarks.label_free.cross_validation import cross_validated_row
from benchmarks.label_free.lung_data import lung_sources
from benchmarks.label_free.lung_variants import NO_WEAK_LABEL, infer_by_slices, slice_overrides
from benchmarks.label_free.per_image_rows import corrected_per_image
from benchmarks.label_free.released import bundle_predict, without_step
from benchmarks.label_free.supervised_lung import supervised_lung
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.transforms import ConstrainToAird

_SEEDS = (0, 1, 2)
_PER_IMAGE_EVERY = 8  # each slice takes half a minute


def trained_rows(data: Path, work: Path) -> list[Row]:
    """Return the rows; weights and datalists in ``work`` are reused.

    Args:
        data: root of the data.
        work: folder for datalists and weights.
    """

    def without_weak_label(
        name: str, overrides: dict[str, Any], finish: Callable[[Path], None]
    ) -> Callable[[int], Predict]:
        def prepare(seed: int) -> Predict:
            folder = work / "models" / f"{name}-{seed}"
            sources = {"dataset_dir": lung_sources(data, work)}
            train_variant(bundle_root("lung"), {**sources, **NO_WEAK_LABEL, **overrides}, seed=seed, folder=folder)
            finish(folder)
            # The air in a slice is the weak label that these rows are trained without.
            return bundle_predict(without_step(load_bundle("lung", folder, torch.device("cpu")), ConstrainToAird))

        return prepare

    def supervised(seed: int) -> Predict:
        return supervised_lung(lung_sources(data, work), seed, work / "models" / f"lung-supervised-{seed}.pt")

    def per_image(seed: int) -> Predict:
        return corrected_per_image("lung", seed)

    flat = slice_overrides(bundle_root("lung"))
    in_3d = without_weak_label("lung-no-weak-label-3d", {}, lambda folder: None)
    in_2d = without_weak_label("lung-no-weak-label-2d", flat, infer_by_slices)
    return [
        Row(
            "S3-Net corrected (per image)",
            "per-image",
            per_image,
            seeds=_SEEDS,
            every=_PER_IMAGE_EVERY,
            splits=(LUNG_SLICES,),
        ),
        Row("S3-Net losses alone, 3-D (no weak label)", "trained", in_3d, seeds=_SEEDS),
        Row("S3-Net losses alone, 2-D (no weak label)", "trained", in_2d, seeds=_SEEDS),
        cross_validated_row(data, work),
        Row("supervised U-Net, 3-D (100 % masks)", "supervised", supervised, seeds=_SEEDS),
    ]
