"""The abdominal bundle: trained by its users, so it has configs and a card, but no weights and no task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from PIL import Image

from s3net_monai.tasks import TASKS
from tests.helpers.few_labels_toys import write_curvas
from tests.helpers.paths import BUNDLES, CARDIAC_BUNDLE

ABDOMEN = BUNDLES / "abdominal_ct_slices_segmentation"
CONFIGS = ABDOMEN / "configs"
OWN = {"train", "inference", "self_train", "metadata"}  # all other configs are those of the cardiac bundle
OVERLAYS = sorted(path.stem for path in CONFIGS.glob("*.json") if path.stem not in OWN)
SMALL = {
    "device": "cpu",
    "iterations": 2,
    "epoch_length": 2,
    "batch_size": 2,
    "encoder_def#channels": [4, 8],
    "field_of_view": [32, 32],
    "spatial_size": [32, 32],
}


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """A datalist of three training slices of two cases and one test slice."""
    root = write_curvas(tmp_path) / "abdomen" / "curvas"
    names = sorted(path.stem for path in (root / "images").iterdir())
    cases = [{"case_id": name, **{part: f"{part}s/{name}.png" for part in ("image", "label")}} for name in names]
    sections = {"training": cases[:3], "validation": [], "test": cases[3:]}
    (root / "datalist.json").write_text(json.dumps({"name": "curvas", **sections}))
    return root


def workflow(slices: Path, output: Path, *names: str, kind: str = "train", **overrides: Any) -> ConfigWorkflow:
    made = ConfigWorkflow(
        [str(CONFIGS / f"{name}.json") for name in names],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        **{"bundle_root": str(ABDOMEN), "dataset_dir": str(slices), "output_dir": str(output), **SMALL, **overrides},
    )
    made.initialize()
    return made


@pytest.mark.parametrize(
    "name", ["LICENSE", "configs/logging.conf", "docs/README.md", "docs/data_license.txt", "configs/evaluate.json"]
)
def test_required_file(name: str) -> None:
    assert (ABDOMEN / name).read_bytes().strip()


def test_no_weights_and_no_task() -> None:
    assert list(ABDOMEN.rglob("*.pt")) == []
    assert ABDOMEN.name not in {task.bundle for task in TASKS.values()}
    for file in ("docs/README.md", "configs/metadata.json"):
        assert "no weights are released" in (ABDOMEN / file).read_text().lower()


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_are_those_of_the_cardiac_bundle(name: str) -> None:
    assert (CONFIGS / f"{name}.json").read_bytes() == (CARDIAC_BUNDLE / "configs" / f"{name}.json").read_bytes()


def test_metadata_keep_to_the_specification() -> None:
    metadata = json.loads((CONFIGS / "metadata.json").read_text())
    schema = json.loads((Path(__file__).parent / "metadata_schema.json").read_text())
    jsonschema.validate(metadata, schema)
    assert metadata["version"] in metadata["changelog"]
    classes = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert list(classes.values()) == ["background", "pancreas", "kidney", "liver"]


def test_properties_of_training_are_complete(slices: Path, tmp_path: Path) -> None:
    assert workflow(slices, tmp_path, "train").check_properties() == []


def test_train_and_inference_build_one_network() -> None:
    networks = []
    for name in ("train", "inference"):
        parser = ConfigParser()
        parser.read_config(str(CONFIGS / f"{name}.json"))
        networks.append(parser.get_parsed_content("network_def"))
    assert str(networks[0]) == str(networks[1])


def test_trains_and_segments(slices: Path, tmp_path: Path) -> None:
    workflow(slices, tmp_path / "model", "train").run()
    options = {"checkpoint": str(tmp_path / "model" / "model.pt"), "section": "test"}
    inference = workflow(slices, tmp_path / "masks", "inference", kind="infer", **options)
    assert inference.check_properties() == []
    inference.run()
    (path,) = (tmp_path / "masks").iterdir()
    image = np.asarray(Image.open(slices / "images" / "10006_3_r2.png"))
    assert nibabel.load(path).shape[:2] == image.T.shape


def test_self_training_keeps_all_components(slices: Path, tmp_path: Path) -> None:
    """Two kidneys stay two, and a slice need not show every structure."""
    workflow(slices, tmp_path / "teacher", "train", num_labeled_patients=1).run()
    options = {"num_labeled_patients": 1, "teacher": str(tmp_path / "teacher" / "model.pt")}
    made = workflow(slices, tmp_path, "train", "self_train", **options)
    assert [made.parser.get_parsed_content(name) for name in ("largest", "complete")] == [False, False]
    made.run()
    assert torch.load(tmp_path / "model.pt", weights_only=True)
