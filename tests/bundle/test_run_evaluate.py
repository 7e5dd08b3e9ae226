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

from s3net_monai.data.datalist import load_datalist


def read(path: Path) -> np.ndarray:
    values = np.asarray(Image.open(path) if path.suffix == ".png" else nibabel.load(path).dataobj)
    return (values > 0).astype(np.uint8) if values.max() == 255 else values


def mean_dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Over the classes that the truth holds."""
    pairs = [(mask == value, truth == value) for value in np.unique(truth) if value]
    return float(np.mean([2 * (mask & true).sum() / (mask.sum() + true.sum()) for mask, true in pairs]))


@pytest.mark.slow
def test_evaluate_saves_the_mean_dice(
    bundle: Any, labeled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The figure is that of the mask beside it, counted on the grid of the source."""
    caplog.set_level(logging.INFO)
    folders = {"dataset_dir": str(labeled), "output_dir": str(tmp_path)}
    workflow = bundle.workflow("inference", "evaluate", kind="infer", **folders)
    workflow.initialize()
    workflow.run()
    assert "mean_dice" in caplog.text
    header, *rows = csv.reader((tmp_path / "mean_dice_raw.csv").open())
    assert header[0] == "filename"
    cases = load_datalist(labeled, "test", labels=True)
    assert len(rows) == len(cases) == (2 if bundle.task == "cardiac" else 1), "the fifth phantom, at two points in time"
    scores = []
    for row, case in zip(rows, cases, strict=True):
        assert case["image"] in row[0]
        stem, dot, ending = Path(case["image"]).name.partition(".")
        mask, truth = read(tmp_path / f"{stem}_seg{dot}{ending}"), read(Path(case["label"]))
        assert mask.any(), "two empty masks would agree on any figure"
        assert truth.any()
        scores.append(mean_dice(mask, truth))
        assert float(row[-1]) == pytest.approx(scores[-1], abs=1e-4)
    expected = np.mean(scores)
    assert float((tmp_path / "metrics.csv").read_text().split(",")[1]) == pytest.approx(expected, abs=1e-4)
    assert (tmp_path / "mean_dice_summary.csv").is_file()
