"""What MONAI Label's tasks for bundles do with the configs, repeated without MONAI Label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import run
from monai.data import MetaTensor
from monai.transforms import Invertd, LoadImaged, SaveImaged

from data_prep.phantom import write_cardiac_phantom, write_lung_phantom, write_skin_phantom
from data_prep.phantom_grid import phantom_affine
from s3net_monai.tasks import TASKS

OBLIQUE = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture
def image(bundle: Any, tmp_path: Path) -> tuple[Path, tuple[int, ...], np.ndarray]:
    """Path, shape and affine of one image whose axes are not the patient's."""
    if bundle.task == "skin":
        return write_skin_phantom(tmp_path, "case", (90, 70))[0], (90, 70), np.eye(4)
    if bundle.task == "cardiac":
        shape, spacing = (60, 50, 5), (1.5, 1.4, 8.0)
        return write_cardiac_phantom(tmp_path, "case", shape, spacing=spacing)[0][1], shape, np.diag([*spacing, 1.0])
    shape = (60, 50, 8)
    affine = phantom_affine(shape, (5.0, 4.0, 6.0), OBLIQUE)
    return write_lung_phantom(tmp_path, "case", shape, affine=affine)[0], shape, affine


@pytest.mark.slow
def test_inference_task(bundle: Any, image: tuple[Path, tuple[int, ...], np.ndarray]) -> None:
    path, shape, affine = image
    parser = bundle.parser("inference")
    parser.update({"device": "cpu"})
    before = parser.get_parsed_content("preprocessing").transforms
    for transform in before:
        if isinstance(transform, LoadImaged):
            transform.image_only = transform._loader.image_only = False  # MONAI Label asks for the metadata apart
    after = parser.get_parsed_content("postprocessing").transforms
    assert sum(isinstance(transform, SaveImaged) for transform in after) == 1
    assert any(isinstance(transform, Invertd) for transform in after), "it appends a resize, which does not turn back"
    network = parser.get_parsed_content("network_def").eval()
    # "image_path" and the like made MONAI's Spacingd fail, which takes all that begins with image_ for metadata.
    sample: dict[str, Any] = {"image": str(path), "image_path": str(path), "label_info": [], "result_dtype": "uint8"}
    for transform in before:
        sample = transform(sample)
    with torch.no_grad():
        sample["pred"] = parser.get_parsed_content("inferer")(sample["image"][None], network)[0]
    for transform in after:
        if not isinstance(transform, SaveImaged):
            sample = transform(sample)
    assert isinstance(sample["pred"], MetaTensor)
    assert sample["pred"].shape == (1, *shape)
    assert set(sample["pred"].unique().tolist()) <= set(range(len(TASKS[bundle.task].labels) + 1))
    if bundle.task != "skin":
        np.testing.assert_allclose(sample["pred"].affine.numpy(), affine, atol=1e-3)
    assert sample["image_path"] == str(path)


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["lung", "skin"], indirect=True, scope="session")
def test_training_task(bundle: Any, unlabeled: Path, tmp_path: Path) -> None:
    """It replaces the data by pairs of image and label, puts a loader before the handlers, and calls ``run``.

    The labels it names do not exist here: label-free training must not miss them.
    """
    images = sorted((unlabeled / "images").iterdir())
    pairs = [{"image": str(path), "label": str(unlabeled / "labels" / path.name)} for path in images]
    handlers = json.loads(Path(bundle.config_file("train")).read_text())["train"]["handlers"]
    assert isinstance(handlers, list)
    assert all(isinstance(handler, dict) for handler in handlers)
    released = str(bundle.root / "models" / "model.pt")
    loader = {"_target_": "CheckpointLoader", "load_path": released, "load_dict": {"model": "$@network"}}
    overrides = bundle.small_training(tmp_path / "no_such_folder", tmp_path / "output", learning_rate=0.0)
    for key in bundle.small_network:
        del overrides[key]
    del overrides["max_epochs"]
    run(
        run_id="run",
        init_id=None,
        final_id=None,
        meta_file=bundle.config_file("metadata"),
        config_file=bundle.config_file("train"),
        logging_file=False,
        **overrides,
        **{
            "train#trainer#max_epochs": 1,
            "train#dataset#data": pairs[:4],
            "train#handlers": [loader, *handlers],
            "validate#dataset#data": pairs[4:],
        },
    )
    trained = torch.load(tmp_path / "output" / "model.pt", weights_only=True)
    start = torch.load(released, weights_only=True)
    learned = [key for key in start if key.endswith((".weight", ".bias"))]
    assert learned
    # A learning rate of 0 leaves what the loader put in.
    assert [key for key in learned if not torch.equal(trained[key], start[key])] == []


def test_folder_name_tells_the_task(bundle: Any) -> None:
    assert "segmentation" in bundle.released.name
    assert not any(word in bundle.released.name for word in ("deepedit", "deepgrow", "detection", "classification"))
