"""MONAI Label's own task classes, called directly: masks as the command line makes them, and a short training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.utils import set_determinism

from s3net_monai.inference import bundle_root
from tests.helpers.monailabel_cases import (
    CARDIAC,
    LABELS,
    LUNG,
    SKIN,
    command_line,
    read_mask,
    shrink,
    weights,
    write_pairs,
)

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")
TASKS = {LUNG: "lung", SKIN: "skin", CARDIAC: "cardiac"}


class CaseStore:
    """The part of MONAI Label's datastore that a training uses."""

    def __init__(self, cases: list[dict[str, str]]) -> None:
        self.cases = cases

    def datalist(self) -> list[dict[str, str]]:
        return self.cases


@pytest.mark.parametrize("name", [LUNG, SKIN, CARDIAC])
def test_inference(name: str, app_folder: Path, tmp_path: Path) -> None:
    """Served bundles, and released ones for volumes; a 2-D mask needs the last step of the served copy."""
    from monailabel.tasks.infer.bundle import BundleInferTask

    image = Path(write_pairs(name, tmp_path / "data", 1)[0]["image"])
    expected = read_mask(command_line(TASKS[name], image, tmp_path / "masks"))
    assert expected.any()
    served, released = app_folder / "model" / name, bundle_root(TASKS[name])
    for bundle in [served] if name == SKIN else [served, released]:
        task = BundleInferTask(str(bundle), {})
        assert (task.type, task.labels) == ("segmentation", LABELS[name])
        file, _ = task({"model": name, "image": str(image), "device": "cpu", "result_dtype": "uint8"})
        np.testing.assert_array_equal(read_mask(Path(file)), expected)
        if name != SKIN:
            np.testing.assert_allclose(nib.load(file).affine, nib.load(image).affine, atol=1e-3)


@pytest.mark.parametrize("name", [LUNG, SKIN, CARDIAC])
def test_training(name: str, app_folder: Path, tmp_path: Path) -> None:
    from monailabel.tasks.train.bundle import BundleTrainTask

    bundle = app_folder / "model" / name
    shrink(bundle)
    before = weights(bundle)
    request = {"model": name, "device": "cpu", "max_epochs": 1, "val_split": 0.34, "multi_gpu": False}
    task: Any = BundleTrainTask(str(bundle), {})
    assert task.is_valid()
    try:
        task(request, CaseStore(write_pairs(name, tmp_path / "data", 3)))
    finally:
        set_determinism(None)
    after = weights(bundle)
    assert after.keys() == before.keys()
    assert any(not torch.equal(before[key], after[key]) for key in before)
