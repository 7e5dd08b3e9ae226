"""Cross-validation of the recipe of the released lung weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.splits import LUNG_TRAINING_VOLUMES, LUNG_VOLUME_SPLITS
from benchmarks.common.train import train_variant
from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free.lung_data import lung_sources
from benchmarks.label_free.released import bundle_predict
from s3net_monai.inference import bundle_root, load_bundle

FOLDS = tuple(name for name, split in LUNG_VOLUME_SPLITS.items() if split == LUNG_TRAINING_VOLUMES)
EPOCHS = 5  # half as many as in train.json, as there are two trainings


def cross_validated_row(data: Path, work: Path, epochs: int = EPOCHS) -> Row:
    """Return the row that trains once without each volume of ``FOLDS``.

    These weights segment that volume.

    All other cases are test cases of every fold. The weights of the first fold segment them, so that the row also shows
    the effect of one volume less.

    Args:
        data: root of the data.
        work: folder for datalists and weights.
        epochs: epochs of each training.
    """

    def prepare(seed: int) -> Predict:
        @cache
        def fold(left_out: str) -> Predict:
            sources = lung_sources(data, work, without=[left_out])
            overrides: dict[str, Any] = {"dataset_dir": sources, "max_epochs": epochs}
            folder = work / "models" / f"lung-without-{left_out}-{seed}"
            train_variant(bundle_root("lung"), overrides, seed=seed, folder=folder)
            return bundle_predict(load_bundle("lung", folder, torch.device("cpu")))

        def predict(case: BenchmarkCase) -> Partition:
            return fold(case.case_id if case.case_id in FOLDS else FOLDS[0])(case)

        return predict

    return Row(f"S3-Net, released recipe, {epochs} epochs, cross-validated over volumes", "trained", prepare)
