"""S3-Net as a whole: sizes, heads, refusals, TorchScript and configs."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from s3net_monai.networks import S3Net
from tests.helpers.tensors import parameters_without_gradient

PYRAMID = {"channels": [4, 6, 8], "num_blocks": [0, 1, 1]}
SINGLE = {"channels": 6, "num_blocks": 2}


def small(spatial_dims: int, in_channels: int = 2, **settings: Any) -> S3Net:
    """A network with random weights everywhere, including the zero-initialized predictors of the offsets."""
    torch.manual_seed(0)
    network = S3Net(spatial_dims, in_channels, num_clusters=3, **settings)
    for parameter in network.parameters():
        if parameter.abs().sum() == 0:
            nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("settings", [PYRAMID, SINGLE, {"channels": [4, 6], "num_blocks": [1, 0]}])
@pytest.mark.parametrize(
    ("batch", "size"), [(1, (16, 16)), (3, (17, 9)), (2, (1, 13)), (1, (8, 8, 8)), (2, (9, 5, 1)), (1, (7, 1, 11))]
)
def test_any_size_and_batch(settings: dict[str, Any], batch: int, size: tuple[int, ...]) -> None:
    network = small(len(size), **settings)
    main, auxiliary = network.heads(torch.randn(batch, 2, *size))
    assert main.shape == auxiliary.shape == (batch, 3, *size)
    assert main.isfinite().all()
    assert auxiliary.isfinite().all()


@pytest.mark.parametrize("settings", [PYRAMID, SINGLE])
@pytest.mark.parametrize("size", [(12, 7), (6, 7, 4)])
def test_images_one_by_one_equal_the_batch(settings: dict[str, Any], size: tuple[int, ...]) -> None:
    network = small(len(size), **settings)
    network(torch.randn(4, 2, *size))  # running statistics that are not the initial ones
    network.eval()
    x = torch.randn(3, 2, *size)
    single = torch.cat([network(image[None]) for image in x])
    torch.testing.assert_close(network(x), single, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [PYRAMID, SINGLE])
def test_forward_is_the_main_head(settings: dict[str, Any]) -> None:
    network = small(2, **settings).eval()
    x = torch.randn(1, 2, 10, 12)
    main, auxiliary = network.heads(x)
    torch.testing.assert_close(network(x), main)
    assert not torch.allclose(main, auxiliary)


@pytest.mark.parametrize("settings", [PYRAMID, SINGLE])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_both_heads_together_train_every_parameter(settings: dict[str, Any], spatial_dims: int) -> None:
    network = small(spatial_dims, **settings).eval()  # batch statistics would cancel the biases
    main, auxiliary = network.heads(torch.randn(2, 2, *[12] * spatial_dims))
    (torch.softmax(main, 1)[:, 0].square().sum() + torch.softmax(auxiliary, 1)[:, 0].square().sum()).backward()
    assert parameters_without_gradient(network) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims is 1, expected 2 or 3"),
        ({"channels": [4, 8], "num_blocks": 1}, "channels has 2 levels and num_blocks 1"),
        ({"channels": [4, 8], "num_blocks": [0, 0]}, "expected at least one attention block"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        S3Net(**settings)


@pytest.mark.parametrize("settings", [PYRAMID, SINGLE])
@pytest.mark.parametrize(("size", "other_size"), [((10, 13), (7, 4)), ((8, 5, 6), (3, 9, 1))])
def test_torchscript_equals_eager(settings: dict[str, Any], size: tuple[int, ...], other_size: tuple[int, ...]) -> None:
    network = small(len(size), **settings).eval()
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(network), stream)
    stream.seek(0)
    scripted = torch.jit.load(stream)
    for shape in ((2, 2, *size), (1, 2, *other_size)):
        x = torch.randn(*shape)
        torch.testing.assert_close(scripted(x), network(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_builds_from_a_config(spatial_dims: int) -> None:
    config = {
        "network": {
            "_target_": "s3net_monai.networks.S3Net",
            "spatial_dims": spatial_dims,
            "in_channels": 1,
            "num_clusters": 5,
            "channels": [4, 8],
            "num_blocks": [0, 1],
            "norm": ["group", {"num_groups": 2}],
        }
    }
    network = ConfigParser(config).get_parsed_content("network")
    assert isinstance(network, S3Net)
    assert network(torch.randn(2, 1, *[9] * spatial_dims)).shape == (2, 5, *[9] * spatial_dims)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def test_same_seed_same_network() -> None:
    def build() -> dict[str, Tensor]:
        torch.manual_seed(3)
        return S3Net(2, 1, 3, **PYRAMID).state_dict()

    first, second = build(), build()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_forward_is_the_main_head_without_the_auxiliary_one(spatial_dims: int) -> None:
    network = S3Net(spatial_dims, 1, num_clusters=3, channels=[4, 6], num_blocks=[0, 1]).eval()
    x = torch.rand(1, 1, *(9, 8, 4)[:spatial_dims])
    calls = []
    network.body.auxiliary.register_forward_hook(lambda *_: calls.append("auxiliary"))
    main = network(x)
    assert calls == []
    assert torch.equal(main, network.heads(x)[0])
    assert calls == ["auxiliary"]
