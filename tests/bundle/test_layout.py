"""The files that the MONAI Bundle specification and the model zoo ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser

from s3net_monai.tasks import TASKS

REQUIRED = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.json",
    "configs/inference.json",
    "configs/evaluate.json",
    "configs/multi_gpu_train.json",
    "configs/logging.conf",
    "docs/README.md",
    "docs/data_license.txt",
)


@pytest.fixture
def weights(bundle: Any) -> Path:
    path: Path = bundle.released / "models" / "model.pt"
    return path


@pytest.mark.parametrize("name", REQUIRED)
def test_required_file(bundle: Any, name: str) -> None:
    path = bundle.released / name
    assert path.is_file(), f"{path} is missing"
    assert path.read_bytes().strip()


def test_weights_are_alone_and_small(weights: Path) -> None:
    # MONAI Label offers every .pt of the folder to its users
    assert list(weights.parent.glob("*.pt")) == [weights]
    assert 0 < weights.stat().st_size < 10e6


def test_weights_fit_the_network_strictly(bundle: Any, weights: Path) -> None:
    state = torch.load(weights, map_location="cpu", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    network = bundle.parser("inference").get_parsed_content("network_def")
    network.load_state_dict(state, strict=True)
    assert all(torch.isfinite(value).all() for value in state.values())
    if "cluster_class" in state:
        assert set(state["cluster_class"].tolist()) == {0, 1}, "the naming of a trained network uses both classes"


def test_bundles_have_one_layout(bundle: Any) -> None:
    """Top-level keys of the configs differ in the sizes of images, and where the bundle is trained with few labels."""
    sizes = {"pixdim", "patch_size", "min_size", "spatial_size", "epoch_length", "allow", "field_of_view"}
    for name in ("train", "inference", "evaluate", "multi_gpu_train"):
        if bundle.task == "cardiac":
            if name in ("train", "multi_gpu_train"):
                continue
            sizes |= {"per_image_inferer", "in_channels", "out_channels", "encoder_def"}
            sizes |= {"resample_in_plane", "largest_components"}
        lung = bundle.released.parent / TASKS["lung"].bundle
        configs = [folder / "configs" / f"{name}.json" for folder in (lung, bundle.released)]
        keys = [set(json.loads(config.read_text())) for config in configs]
        assert (keys[0] ^ keys[1]) <= sizes, name


def test_configs_do_not_name_this_machine(bundle: Any) -> None:
    for path in (bundle.released / "configs").iterdir():
        assert not any(word in path.read_text() for word in ("/work", "/home", "/tmp", "/root")), path


def test_components_are_installed_packages(bundle: Any) -> None:
    """``scripts.`` would be found from the bundle folder alone."""
    for name in ("train", "inference", "evaluate", "multi_gpu_train"):
        config = ConfigParser.load_config_file(bundle.config_file(name))
        assert '"scripts.' not in json.dumps(config)
    assert not (bundle.released / "scripts").exists()
