"""A U-Net over any encoder: any image size, export, and MONAI's own checks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ckpt_export, onnx_export, verify_net_in_out
from torch.nn import functional as F

from s3net_monai.networks import ConvEncoder, DualDecoderUNet, EncoderUNet
from tests.helpers.feature_encoders import ENCODERS, conv_unet
from tests.helpers.tensors import parameters_without_gradient

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(part) is None for part in ("onnx", "onnxscript", "onnxruntime")),
    reason="onnx, onnxscript or onnxruntime not installed: pip install 's3net-monai[export]'",
)


def small(spatial_dims: int, in_channels: int = 1, **settings: Any) -> EncoderUNet:
    torch.manual_seed(0)
    return conv_unet(spatial_dims, in_channels=in_channels, out_channels=3, **settings)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize(
    "sizes", [[(32, 32), (33, 20), (1, 1), (3, 50)], [(16, 16, 16), (9, 20, 5), (1, 1, 1)]], ids=["2-D", "3-D"]
)
def test_logits_have_the_size_of_the_image(kind: str, sizes: list[tuple[int, ...]]) -> None:
    dims = len(sizes[0])
    network = EncoderUNet(ENCODERS[kind](dims, 2), spatial_dims=dims, in_channels=2, out_channels=3).eval()
    for size in sizes:
        with torch.no_grad():
            logits = network(torch.randn(2, 2, *size))
        assert logits.shape == (2, 3, *size)
        assert logits.isfinite().all()


@pytest.mark.parametrize("upsample", ["deconv", "nontrainable", "pixelshuffle"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_parameter_learns(upsample: str, spatial_dims: int) -> None:
    network = small(spatial_dims, upsample=upsample)
    network(torch.randn(2, 1, *[12] * spatial_dims)).softmax(dim=1)[:, 0].square().sum().backward()
    assert parameters_without_gradient(network) == []


@pytest.mark.parametrize("size", [(9, 14), (5, 6, 7)])
def test_odd_size_is_the_corner_of_the_padded_image(size: tuple[int, ...]) -> None:
    network, x = small(len(size)).eval(), torch.randn(1, 1, *size)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), *((0, -n % 4) for n in size)], "edge")
    expected = network(torch.from_numpy(padded))[(..., *(slice(n) for n in size))]
    torch.testing.assert_close(network(x), expected)


def test_one_voxel_can_be_trained_on() -> None:
    encoder = ConvEncoder(2, 1, (4, 8), norm="batch")
    network = EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=2, norm="batch")
    network(torch.randn(1, 1, 1, 1)).sum().backward()


def test_learns_a_segmentation() -> None:
    torch.manual_seed(0)
    label = torch.zeros(4, 16, 18, dtype=torch.long)
    for image_label, (x, y) in zip(label, ((1, 2), (6, 0), (9, 9), (4, 11)), strict=True):
        image_label[x : x + 6, y : y + 5] = 1
        image_label[15 - x : 16, 8:14] = 2
    # every image has every class, because instance normalization removes absolute brightness
    image = label[:, None] + 0.1 * torch.randn(4, 1, 16, 18)
    network = EncoderUNet(ConvEncoder(2, 1, (8, 16, 32)), spatial_dims=2, in_channels=1, out_channels=3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(network(image), label).backward()
        optimizer.step()
    assert (network(image).argmax(dim=1) == label).float().mean() > 0.98


def write_bundle(tmp_path: Path, *, spatial_dims: int, network: str, size: list[Any]) -> dict[str, Any]:
    """Write the files of a bundle with this network and random weights."""
    definition = {
        "_target_": f"s3net_monai.networks.{network}",
        "encoder": {
            "_target_": "s3net_monai.networks.ConvEncoder",
            "spatial_dims": spatial_dims,
            "in_channels": 2,
            "channels": [4, 6, 8],
            "norm": ["instance", {"affine": True}],
        },
        "spatial_dims": spatial_dims,
        "in_channels": 2,
        "out_channels": 3,
    }
    data_format = {"type": "image", "dtype": "float32", "value_range": [], "spatial_shape": size}
    formats = {
        "inputs": {"image": {**data_format, "num_channels": 2}},
        "outputs": {"pred": {**data_format, "num_channels": 3}},
    }
    (tmp_path / "inference.json").write_text(json.dumps({"network_def": definition}))
    (tmp_path / "metadata.json").write_text(json.dumps({"network_data_format": formats}))
    encoder = ConvEncoder(spatial_dims, 2, (4, 6, 8))
    network_class = {"EncoderUNet": EncoderUNet, "DualDecoderUNet": DualDecoderUNet}[network]
    module = network_class(encoder, spatial_dims=spatial_dims, in_channels=2, out_channels=3)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    return {
        "network": module.eval(),
        "arguments": {
            "net_id": "network_def",
            "meta_file": str(tmp_path / "metadata.json"),
            "config_file": str(tmp_path / "inference.json"),
        },
    }


@pytest.mark.parametrize("network", ["EncoderUNet", "DualDecoderUNet"])
@pytest.mark.parametrize("size", [["*", "*"], ["16*n", "8*n"], ["2**p", "*"], ["*", "*", "*"]])
def test_monai_verifies_it_at_the_smallest_size(tmp_path: Path, network: str, size: list[str]) -> None:
    arguments = write_bundle(tmp_path, spatial_dims=len(size), network=network, size=size)["arguments"]
    verify_net_in_out(**arguments, device="cpu", n=1, p=1, any=1)


@pytest.mark.parametrize("network", ["EncoderUNet", "DualDecoderUNet"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_torchscript_equals_eager(tmp_path: Path, network: str, spatial_dims: int) -> None:
    bundle = write_bundle(tmp_path, spatial_dims=spatial_dims, network=network, size=["*"] * spatial_dims)
    ckpt_export(**bundle["arguments"], filepath=str(tmp_path / "model.ts"), ckpt_file=str(tmp_path / "model.pt"))
    scripted = torch.jit.load(tmp_path / "model.ts").eval()
    with torch.no_grad():
        for size in ((16, 8, 12), (7, 9, 5), (1, 1, 1)):
            x = torch.randn(2, 2, *size[:spatial_dims])
            torch.testing.assert_close(scripted(x), bundle["network"](x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["s3net", "resnet", "efficientnet"])
def test_torchscript_of_the_other_encoders(kind: str) -> None:
    eager = DualDecoderUNet(ENCODERS[kind](2, 1), spatial_dims=2, in_channels=1, out_channels=3).eval()
    x = torch.randn(1, 1, 40, 33)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(eager)(x), eager(x), rtol=1e-4, atol=1e-4)


@needs_onnx
@pytest.mark.parametrize("network", ["EncoderUNet", "DualDecoderUNet"])
def test_onnx_equals_eager(tmp_path: Path, network: str) -> None:
    import onnxruntime

    size = [14, 9]
    bundle = write_bundle(tmp_path, spatial_dims=len(size), network=network, size=size)
    onnx_export(**bundle["arguments"], filepath=str(tmp_path / "model.onnx"), ckpt_file=str(tmp_path / "model.pt"))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 2, *size)
    logits = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(logits, bundle["network"](x).numpy(), rtol=1e-4, atol=1e-4)
