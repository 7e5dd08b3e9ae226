"""Depthwise convolutions and their gradients against PyTorch's own, and by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks import DepthwiseConv
from s3net_monai.networks.depthwise_planes import from_planes, to_planes

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
KERNELS = [(1, 1), (3, 1), (5, 1), (5, 2), (7, 3), (3, 7), (9, 2)]  # reach 0 to 9: on both sides of the fast one
SIZES = [(13, 10), (12, 9), (2, 20), (1, 1), (9, 8, 5), (7, 6, 1), (1, 3, 8), (14, 3, 2)]


def plain(layer: DepthwiseConv, kernel: int, dilation: int) -> nn.Module:
    """PyTorch's convolution with the same weights."""
    reference = CONV[layer.spatial_dims](
        layer.channels,
        layer.channels,
        kernel,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=layer.channels,
    ).to(layer.weight.dtype)
    reference.load_state_dict(layer.state_dict(), strict=True)
    return reference


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kernel", "dilation"), KERNELS)
def test_output_and_gradients_are_those_of_pytorch(kernel: int, dilation: int, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(len(size), channels=3, kernel_size=kernel, dilation=dilation).double()
    reference = plain(layer, kernel, dilation)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    out, expected = layer(x), reference(y)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(expected)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.weight.grad, reference.weight.grad, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(layer.bias.grad, reference.bias.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (5, 2), (7, 3)])
def test_single_precision_in_every_layout(kernel: int, dilation: int, spatial_dims: int) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(spatial_dims, channels=8, kernel_size=kernel, dilation=dilation)
    reference = plain(layer, kernel, dilation)
    x = torch.randn(2, 8, *(20, 17, 6)[:spatial_dims])
    expected = reference(x)
    turned = x.transpose(2, 3).contiguous().transpose(2, 3)
    for same in (x, x.contiguous(memory_format=LAST[spatial_dims]), turned):
        torch.testing.assert_close(layer(same), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 4), (3, 4, 3)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (5, 2)])
def test_gradients_by_finite_differences(kernel: int, dilation: int, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(len(size), channels=2, kernel_size=kernel, dilation=dilation).double()
    x = torch.randn(1, 2, *size, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, layer.weight, layer.bias))


def test_only_asked_gradients_are_made() -> None:
    layer = DepthwiseConv(2, channels=2, kernel_size=3).requires_grad_(False)
    x = torch.ones(1, 2, 4, 4, requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is None
    assert torch.equal(x.grad[0, 0, 1, 1], layer.weight[0].sum())  # an inner pixel meets all nine taps


def test_by_hand() -> None:
    layer = DepthwiseConv(2, channels=1, kernel_size=3, dilation=2)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, 0, 2] = 10  # two rows up, two columns to the right
    nn.init.constant_(layer.bias, 0.5)
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    expected = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [20.5, 30.5, 0.5, 0.5]])
    assert torch.equal(layer(x)[0, 0], expected)


def test_first_weights_are_those_of_pytorch() -> None:
    torch.manual_seed(3)
    layer = DepthwiseConv(3, channels=2, kernel_size=5, dilation=2)
    torch.manual_seed(3)
    reference = nn.Conv3d(2, 2, 5, groups=2)
    assert torch.equal(layer.weight, reference.weight)
    assert torch.equal(layer.bias, reference.bias)
    assert list(layer.state_dict()) == list(reference.state_dict())


def test_same_bits_every_time() -> None:
    layer = DepthwiseConv(2, channels=4, kernel_size=7, dilation=3)
    x = torch.randn(3, 4, 30, 31)
    gradients = []
    for _ in range(2):
        layer.zero_grad()
        layer(x).square().sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert torch.equal(*gradients)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_scripted_traced_and_copied(spatial_dims: int) -> None:
    layer = DepthwiseConv(spatial_dims, channels=2, kernel_size=7, dilation=3)
    x = torch.randn(1, 2, *(20, 17, 6)[:spatial_dims])
    expected = layer(x)
    for same in (torch.jit.script(layer), torch.jit.trace(layer, x), copy.deepcopy(layer)):
        torch.testing.assert_close(same(x), expected, rtol=1e-5, atol=1e-5)


def test_bfloat16_under_autocast() -> None:
    layer = DepthwiseConv(2, channels=2, kernel_size=5, dilation=2)
    x = torch.randn(1, 2, 9, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), layer(x), rtol=0.05, atol=0.05)


def test_planes_hold_every_other_pixel() -> None:
    x = torch.arange(15).reshape(1, 1, 3, 5)
    planes = to_planes(x, 2)[0, ..., 0]
    assert planes[:2].tolist() == [[[0, 2, 4], [10, 12, 14]], [[1, 3, 0], [11, 13, 0]]]
    assert planes[2:].tolist() == [[[5, 7, 9], [0, 0, 0]], [[6, 8, 0], [0, 0, 0]]]


@pytest.mark.parametrize("shape", [(2, 3, 7, 5), (2, 3, 4, 5, 3)])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_planes_and_back(step: int, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    assert torch.equal(from_planes(to_planes(x, step), x.shape, step), x)


def test_empty_batch() -> None:
    assert (
        DepthwiseConv(2, channels=2, kernel_size=5)(torch.zeros(0, 2, 6, 6)).shape
        == F.relu(torch.zeros(0, 2, 6, 6)).shape
    )
