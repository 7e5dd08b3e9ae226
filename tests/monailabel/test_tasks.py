"""MONAI Label's task classes, called directly on the shipped bundles and on the served ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from PIL import Image

from data_prep.phantom import write_lung_phantom, write_skin_phantom
from data_prep.phantom_grid import phantom_affine
from s3net_monai.inference import bundle_root

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-monailabel")
OBLIQUE = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
SKIN = "skin_lesion_segmentation"


class Store:
    """What a training asks of MONAI Label's store."""

    def __init__(self, cases: list[dict[str, str]]) -> None:
        self.cases = cases

    def datalist(self) -> list[dict[str, str]]:
        return self.cases


@pytest.mark.parametrize("served", [False, True])
def test_inference_on_a_volume(served: bool, app_folder: Path, tmp_path: Path) -> None:
    from monailabel.tasks.infer.bundle import BundleInferTask

    shape = (40, 36, 8)
    affine = phantom_affine(shape, (8.0, 8.0, 10.0), OBLIQUE)
    image, truth = write_lung_phantom(tmp_path, "case", shape, affine=affine)
    bundle = app_folder / "model" / "lung_ct_segmentation" if served else bundle_root("lung")
    task = BundleInferTask(str(bundle), {})
    assert (task.type, task.dimension, task.labels) == ("segmentation", 3, {"lung": 1})
    file, _ = task({"model": bundle.name, "image": str(image), "device": "cpu", "result_dtype": "uint8"})
    mask = nib.load(file)
    assert mask.shape == shape
    np.testing.assert_allclose(mask.affine, affine, atol=1e-3)
    array, expected = np.asarray(mask.dataobj) > 0, np.asarray(nib.load(truth).dataobj) > 0
    assert 2 * (array & expected).sum() > 0.8 * (array.sum() + expected.sum())


def test_inference_on_a_picture(app_folder: Path, tmp_path: Path) -> None:
    from monailabel.tasks.infer.bundle import BundleInferTask

    image, truth = write_skin_phantom(tmp_path, "case", (90, 70))
    task = BundleInferTask(str(app_folder / "model" / SKIN), {})
    assert (task.dimension, task.labels) == (2, {"lesion": 1})
    file, _ = task({"model": SKIN, "image": str(image), "device": "cpu"})
    mask, expected = (np.asarray(Image.open(path)) > 0 for path in (file, truth))
    assert mask.shape == expected.shape
    assert 2 * (mask & expected).sum() > 0.8 * (mask.sum() + expected.sum())


@pytest.mark.parametrize("served", [False, True])
def test_training(served: bool, app_folder: Path, tmp_path: Path) -> None:
    """The shipped bundle trains without labels and leaves its weights; the served one learns from labels."""
    from monailabel.tasks.train.bundle import BundleTrainTask

    bundle = app_folder / "model" / SKIN
    if not served:
        shutil.rmtree(bundle)
        shutil.copytree(bundle_root("skin"), bundle)
    cases = [write_skin_phantom(tmp_path / "data", f"case{index}", (90, 70), seed=index) for index in range(3)]
    store = Store([{"image": str(image), "label": str(label)} for image, label in cases])
    before = torch.load(bundle / "models" / "model.pt", weights_only=True)
    request = {"model": SKIN, "device": "cpu", "max_epochs": 1, "val_split": 0.34, "multi_gpu": False}
    task: Any = BundleTrainTask(str(bundle), {})
    assert task.is_valid()
    try:
        task(request, store)
    finally:
        set_determinism(None)
    after = torch.load(bundle / "models" / "model.pt", weights_only=True)
    same = all(torch.equal(before[key], after[key]) for key in before)
    assert same is not served
    assert (bundle / "eval" / "model.pt").is_file() is not served
