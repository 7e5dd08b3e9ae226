"""The networks of the ablation: the replaced part, and the unchanged rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from benchmarks.label_free.ablation_networks import (
    FreeOffsetConv,
    ResidualConvBlock,
    S3NetWithFreeOffsets,
    S3NetWithoutAttention,
    S3NetWithoutDeformable,
)
from s3net_monai.networks import AttentionBlock, DeformableConv, S3Net


def build(kind: type[S3Net], spatial_dims: int = 2, **options: Any) -> S3Net:
    torch.manual_seed(0)
    settings = {"in_channels": 1, "num_clusters": 3, "channels": [4, 6, 8], "num_blocks": [0, 1, 2]}
    return kind(spatial_dims=spatial_dims, **settings, **options)


def count(model: S3Net, kind: type) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def test_without_attention_every_block_is_a_residual_convolution() -> None:
    model = build(S3NetWithoutAttention)
    assert (count(model, AttentionBlock), count(model, ResidualConvBlock)) == (0, 3)
    assert model(torch.randn(2, 1, 13, 9)).shape == (2, 3, 13, 9)


@pytest.mark.parametrize(("spatial_dims", "width"), [(2, 32), (2, 64), (2, 96), (3, 32)])
def test_residual_convolution_costs_about_as_much(spatial_dims: int, width: int) -> None:
    parameters = [
        sum(parameter.numel() for parameter in block(spatial_dims, width).parameters())
        for block in (ResidualConvBlock, AttentionBlock)
    ]
    assert 0.7 < parameters[0] / parameters[1] < 1.6


def test_residual_convolution_adds_to_its_input() -> None:
    block = ResidualConvBlock(2, 4, norm=("instance", {"affine": False})).eval()
    torch.nn.init.zeros_(block.convolution.weight)
    torch.nn.init.zeros_(block.convolution.bias)
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(block(x), F.instance_norm(x))


def test_a_plain_convolution_replaces_the_deformable_one() -> None:
    model = build(S3NetWithoutDeformable)
    assert count(model, DeformableConv) == count(model, FreeOffsetConv) == 0
    assert model(torch.randn(1, 1, 10, 10)).shape == (1, 3, 10, 10)


@pytest.mark.parametrize("size", [(16, 12), (13, 9), (10, 8, 6)])
def test_free_offsets_take_any_batch_of_their_size(size: tuple[int, ...]) -> None:
    model = build(S3NetWithFreeOffsets, len(size), image_size=size).eval()
    assert count(model, FreeOffsetConv) == 1
    x = torch.randn(3, 1, *size)
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), rtol=1e-4, atol=1e-5)


def test_free_offsets_refuse_another_size() -> None:
    with pytest.raises(
        ValueError, match=r"^free offsets are of \[8, 8\], found features of \[10, 8\]; set image_size$"
    ):
        build(S3NetWithFreeOffsets, image_size=16)(torch.randn(1, 1, 20, 16))


def test_zero_offsets_and_full_modulation_are_a_convolution() -> None:
    layer = FreeOffsetConv(4, (6, 5))
    torch.nn.init.zeros_(layer.offset)
    torch.nn.init.ones_(layer.modulation)
    x = torch.randn(2, 4, 6, 5)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, padding=1), rtol=1e-4, atol=1e-5)
