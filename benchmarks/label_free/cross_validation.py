"""The recipe of the shipped lung weights, scored on volumes that a training has not seen."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.train import train_variant
from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free.lung_data import lung_sources
from benchmarks.label_free.released import bundle_predict
from s3net_monai.inference import bundle_root, load_bundle

FOLDS = ("id001", "id002")  # the volumes of the training part
EPOCHS = 5  # half of train.json's, as there are two trainings


def cross_validated_row(data: Path, work: Path, epochs: int = EPOCHS) -> Row:
    """Train once without each volume of ``FOLDS`` and answer for that volume with those weights.

    All other cases are test cases to every fold; the first answers for them, so that the row also shows what one volume
    less changes.

    Args:
        data: root of the data.
        work: for datalists and weights.
        epochs: of each training.
    """

    def prepare(seed: int) -> Predict:
        @cache
        def fold(left_out: str) -> Predict:
            sources = lung_sources(data, work, without=[left_out])
            overrides: dict[str, Any] = {"dataset_dir": sources, "max_epochs": epochs}
            folder = work / "models" / f"lung-without-{left_out}-{seed}"
            train_variant(bundle_root("lung"), overrides, seed, folder)
            return bundle_predict(load_bundle("lung", folder, torch.device("cpu")))

        def predict(case: BenchmarkCase) -> Partition:
            return fold(case.case_id if case.case_id in FOLDS else FOLDS[0])(case)

        return predict

    return Row(f"S3-Net, shipped recipe, {epochs} epochs, cross-validated over volumes", "trained", prepare)
