"""The network in the forms that MONAI's own commands make of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ckpt_export, onnx_export, verify_net_in_out


@pytest.fixture
def sample(bundle: Any) -> torch.Tensor:
    """An input of the smallest size that metadata.json allows, p = n = 1."""
    image = bundle.parser("inference")["_meta_"]["network_data_format"]["inputs"]["image"]
    size = [eval(part, {"n": 1, "p": 1}) if isinstance(part, str) else part for part in image["spatial_shape"]]
    return torch.rand([1, image["num_channels"], *size], generator=torch.Generator().manual_seed(0))


@pytest.fixture
def expected(bundle: Any, sample: torch.Tensor) -> torch.Tensor:
    network = bundle.parser("inference").get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle.root / "models" / "model.pt", map_location="cpu", weights_only=True))
    with torch.no_grad():
        return network(sample)


def export_arguments(bundle: Any, path: Path) -> dict[str, str]:
    return {
        "net_id": "network_def",
        "filepath": str(path),
        "ckpt_file": str(bundle.root / "models" / "model.pt"),
        "meta_file": bundle.config_file("metadata"),
        "config_file": bundle.config_file("inference"),
        "bundle_root": str(bundle.root),
    }


def test_network_keeps_to_its_metadata(bundle: Any) -> None:
    verify_net_in_out(
        net_id="network_def",
        meta_file=bundle.config_file("metadata"),
        config_file=bundle.config_file("inference"),
        device="cpu",
        bundle_root=str(bundle.root),
    )


def test_torchscript(bundle: Any, tmp_path: Path, sample: torch.Tensor, expected: torch.Tensor) -> None:
    ckpt_export(**export_arguments(bundle, tmp_path / "model.ts"))
    network = torch.jit.load(tmp_path / "model.ts").eval()
    with torch.no_grad():
        torch.testing.assert_close(network(sample), expected, rtol=0, atol=1e-4)
        larger = torch.rand(1, sample.shape[1], *[size + 16 for size in sample.shape[2:]])
        assert network(larger).shape[2:] == larger.shape[2:]


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(part) is None for part in ("onnx", "onnxscript", "onnxruntime")),
    reason="onnx, onnxscript or onnxruntime not installed: pip install 's3net-monai[export]'",
)
def test_onnx(bundle: Any, tmp_path: Path, sample: torch.Tensor, expected: torch.Tensor) -> None:
    import onnxruntime

    onnx_export(**export_arguments(bundle, tmp_path / "model.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    answer = session.run(None, {session.get_inputs()[0].name: sample.numpy()})[0]
    np.testing.assert_allclose(answer, expected.numpy(), rtol=0, atol=1e-4)
