"""Training of variants: what they change and write, and when they are trained again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.utils import set_determinism

from benchmarks.common.train import train_variant
from benchmarks.label_free.variants import LOSSES_ALONE
from data_prep.phantom import make_phantoms
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.networks import AttentionBlock

TINY: dict[str, Any] = {
    "device": "cpu",
    "network_def#network#channels": [4, 4, 4],
    "network_def#network#num_blocks": [0, 0, 1],
    "spatial_size": [24, 24],
    "batch_size": 2,
    "max_epochs": 1,
}


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    """Undo the global seeding by the configs."""
    yield
    set_determinism(None)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    make_phantoms("skin", folder, count=4, shape=(40, 32))
    return folder


NO_ATTENTION = "benchmarks.label_free.ablation_networks.S3NetWithoutAttention"


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return state


@pytest.mark.slow
def test_variant_is_a_bundle_of_its_own(phantoms: Path, tmp_path: Path) -> None:
    overrides = {**TINY, "dataset_dir": str(phantoms), "network_def#network#_target_": NO_ATTENTION}
    path = train_variant(bundle_root("skin"), overrides, seed=0, folder=tmp_path)
    bundle = load_bundle("skin", tmp_path, torch.device("cpu"))
    assert not any(isinstance(module, AttentionBlock) for module in bundle.network.modules())
    for name, value in bundle.network.state_dict().items():
        assert torch.equal(value, weights_of(path)[name])
    image = next((phantoms / "images").iterdir())
    assert bundle.preprocessing({"image": str(image)})["image"].shape == (3, 24, 24)
    assert not list(tmp_path.rglob("checkpoint*.pt"))


@pytest.mark.slow
def test_only_other_settings_are_trained_again(phantoms: Path, tmp_path: Path) -> None:
    overrides = {**TINY, "dataset_dir": str(phantoms)}
    path = train_variant(bundle_root("skin"), overrides, seed=0, folder=tmp_path)
    first = weights_of(path)
    os.utime(path, (1, 1))
    assert train_variant(bundle_root("skin"), overrides, seed=0, folder=tmp_path) == path
    assert path.stat().st_mtime == 1
    train_variant(bundle_root("skin"), overrides, seed=1, folder=tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 1
    assert any(not torch.equal(value, first[name]) for name, value in weights_of(path).items())


@pytest.mark.slow
def test_losses_alone_compute_no_weak_label(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def labeling_functions(*_: Any) -> None:
        raise AssertionError("a weak label was computed")

    monkeypatch.setattr("s3net_monai.transforms.skin_labeling.skin_labeling_functions", labeling_functions)
    overrides = {**LOSSES_ALONE, **TINY, "dataset_dir": str(phantoms)}
    assert train_variant(bundle_root("skin"), overrides, seed=0, folder=tmp_path).is_file()
