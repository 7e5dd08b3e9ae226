"""Location and loading of bundles, and the messages about unusable ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from s3net_monai.inference import UsageError, bundle_root, load_bundle, parse_device

CPU = torch.device("cpu")


def test_parts_of_a_bundle(lung_bundle: Path) -> None:
    bundle = load_bundle("lung", lung_bundle, CPU)
    assert (bundle.name, bundle.version, bundle.task.channels) == ("toy_lung", "1.2.3", 1)
    assert len(bundle.sha256) == 64
    assert not bundle.network.training
    assert bundle.network[0].bias[1] == -400.5
    names = [type(step).__name__ for step in bundle.postprocessing.transforms]  # type: ignore[attr-defined]
    assert names == ["Invertd", "AsDiscreted"]


def test_weights_must_fit(lung_bundle: Path, skin_bundle: Path) -> None:
    (lung_bundle / "models" / "model.pt").write_bytes((skin_bundle / "models" / "model.pt").read_bytes())
    with pytest.raises(UsageError, match=r"model\.pt: weights do not fit network_def") as caught:
        load_bundle("lung", lung_bundle, CPU)
    assert "\n" not in str(caught.value)


def test_weights_are_loaded_as_tensors_only(lung_bundle: Path) -> None:
    torch.save({"0.weight": Path("x")}, lung_bundle / "models" / "model.pt")
    with pytest.raises(UsageError, match=r"model\.pt: damaged, or not a checkpoint of tensors alone"):
        load_bundle("lung", lung_bundle, CPU)


def test_missing_weights_and_missing_keys_are_named(lung_bundle: Path) -> None:
    config = lung_bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    del content["postprocessing"]
    config.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="postprocessing"):
        load_bundle("lung", lung_bundle, CPU)
    (lung_bundle / "models" / "model.pt").unlink()
    with pytest.raises(UsageError, match=r"model\.pt: no weights"):
        load_bundle("lung", lung_bundle, CPU)


def test_location_of_bundles(tmp_path: Path, lung_bundle: Path) -> None:
    assert bundle_root("lung", lung_bundle) == lung_bundle
    with pytest.raises(UsageError, match="no bundle there"):
        bundle_root("lung", tmp_path)
    with pytest.raises(UsageError, match="'liver' is not known; give one of lung, skin"):
        bundle_root("liver")


def test_devices() -> None:
    assert parse_device("cpu") == CPU
    assert parse_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "cuda:", "cuda:x", "cpu:1", ""):
        with pytest.raises(UsageError, match="not known"):
            parse_device(name)
    with pytest.raises(UsageError, match="not available"):
        parse_device("cuda:99")
