"""The evaluate overlay: inference and the Dice of its masks, by label files that nothing else reads."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path) if path.suffix == ".png" else nibabel.load(path).dataobj) > 0


def test_evaluate_saves_the_mean_dice(
    bundle: Any, labelled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The figure is that of the mask beside it, counted on the grid of the source."""
    caplog.set_level(logging.INFO)
    folders = {"dataset_dir": str(labelled), "output_dir": str(tmp_path)}
    workflow = bundle.workflow("inference", "evaluate", kind="infer", **folders)
    workflow.initialize()
    workflow.run()
    assert "mean_dice" in caplog.text
    header, *rows = csv.reader((tmp_path / "mean_dice_raw.csv").open())
    assert header[0] == "filename"
    assert len(rows) == 1, "the test section of five phantoms holds one"
    case = f"{bundle.task}_0004"
    assert case in rows[0][0]
    ending = "png" if bundle.task == "skin" else "nii.gz"
    mask, truth = read(tmp_path / f"{case}_seg.{ending}"), read(labelled / "labels" / f"{case}.{ending}")
    assert mask.any(), "two empty masks would agree on any figure"
    assert truth.any()
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert float(rows[0][-1]) == pytest.approx(dice, abs=1e-4)
    assert float((tmp_path / "metrics.csv").read_text().split(",")[1]) == pytest.approx(dice, abs=1e-4)
    assert (tmp_path / "mean_dice_summary.csv").is_file()
