"""The gate of I-LKA by hand, its reach, and the attention block written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from s3net_monai.networks import AttentionBlock, InceptionLKA

CONV = {2: F.conv2d, 3: F.conv3d}


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(("branch", "reach"), [(0, 2 + 1), (1, 2 + 4), (2, 2 + 9)])
def test_reach_of_every_branch(spatial_dims: int, branch: int, reach: int) -> None:
    """The local 5x5 kernel reaches 2 voxels; after it, 3 at dilation 1 reach 1, 5 at 2 reach 4 and 7 at 3 reach 9."""
    layer = InceptionLKA(spatial_dims, channels=1)
    for parameter in layer.parameters():
        torch.nn.init.ones_(parameter)
    torch.nn.init.zeros_(layer.merge.weight)
    layer.merge.weight.data[:, branch] = 1
    size, center = 25, 12
    x = torch.ones(1, 1, *[size] * spatial_dims, requires_grad=True)
    layer(x)[(0, 0, *[center] * spatial_dims)].backward()
    expected = torch.zeros([size] * spatial_dims, dtype=torch.bool)
    expected[(slice(center - reach, center + reach + 1),) * spatial_dims] = True
    assert torch.equal(x.grad[0, 0] > 0, expected)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_gate_by_hand(spatial_dims: int) -> None:
    layer = InceptionLKA(spatial_dims, channels=2)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    layer.local.weight.data[(slice(None), 0, *[2] * spatial_dims)] = 2
    for factor, branch in enumerate(layer.branches, start=1):
        middle = branch.weight.shape[-1] // 2
        branch.weight.data[(slice(None), 0, *[middle] * spatial_dims)] = factor
    layer.merge.weight.data[0, 0::2] = 1  # channel 0 is gated by channel 0 alone: 2x + 4x + 6x
    layer.merge.weight.data[1, 4] = 1  # channel 1 by the widest branch of channel 0: 6x
    layer.merge.bias.data[:] = torch.tensor([0.5, -1.0])
    x = torch.zeros(1, 2, *[3] * spatial_dims)
    x[:, 0], x[:, 1] = 0.25, 10
    gated = layer(x)
    torch.testing.assert_close(gated[:, 0], torch.full_like(gated[:, 0], 0.25 * (12 * 0.25 + 0.5)))
    torch.testing.assert_close(gated[:, 1], torch.full_like(gated[:, 1], 10 * (6 * 0.25 - 1)))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_wide_kernels_are_depthwise(spatial_dims: int) -> None:
    layer = InceptionLKA(spatial_dims, channels=2)
    torch.nn.init.zeros_(layer.merge.weight)
    layer.merge.weight.data[0, 0::2] = 1
    x = torch.randn(1, 2, *[6] * spatial_dims, requires_grad=True)
    layer(x)[:, 0].sum().backward()
    assert x.grad[:, 0].abs().sum() > 0
    assert x.grad[:, 1].abs().sum() == 0


@pytest.mark.parametrize(("spatial_dims", "size"), [(2, (9, 6)), (3, (5, 4, 1))])
def test_block_is_the_formula(spatial_dims: int, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    convolution, channels = CONV[spatial_dims], 3
    block = AttentionBlock(spatial_dims, channels)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(2, channels, *size)
    p1, p2, gate = block.project_in, block.project_out, block.attention

    hidden = F.gelu(convolution(x, p1.weight, p1.bias))
    local = convolution(hidden, gate.local.weight, gate.local.bias, padding=2, groups=channels)
    branches = [
        convolution(local, branch.weight, branch.bias, padding=padding, dilation=dilation, groups=channels)
        for branch, padding, dilation in zip(gate.branches, (1, 4, 9), (1, 2, 3), strict=True)
    ]
    gated = hidden * convolution(torch.cat(branches, dim=1), gate.merge.weight, gate.merge.bias)
    y = x + convolution(gated, p2.weight, p2.bias)
    axes = (0, *range(2, y.dim()))
    mean, variance = y.mean(axes, keepdim=True), y.var(axes, unbiased=False, keepdim=True)
    column = [1, channels, *[1] * spatial_dims]
    expected = (y - mean) / (variance + 1e-5).sqrt() * block.norm.weight.reshape(column)
    expected = expected + block.norm.bias.reshape(column)

    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)


def test_norm_is_a_setting() -> None:
    block = AttentionBlock(2, 4, norm=("group", {"num_groups": 2}))
    assert isinstance(block.norm, torch.nn.GroupNorm)
