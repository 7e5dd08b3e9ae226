"""Deformable convolution against a loop over every voxel, tap and corner."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.networks import DeformableConv, deformable_conv

CONV = {2: F.conv2d, 3: F.conv3d}
CASES = [  # size of the image, size of the kernel
    ((5, 8), (3, 3)),
    ((4, 3), (1, 1)),
    ((6, 4), (1, 5)),
    ((1, 6), (3, 3)),
    ((3, 4, 5), (3, 3, 3)),
    ((2, 5, 3), (1, 1, 1)),
    ((4, 2, 3), (3, 1, 5)),
    ((3, 4, 1), (1, 3, 3)),
]


def interpolate(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Linear interpolation of (C, X, Y[, Z]) at one point, zeros outside."""
    low = np.floor(at).astype(int)
    value = np.zeros(image.shape[0])
    for corner in product((0, 1), repeat=len(at)):
        voxel = low + corner
        if all(0 <= v < size for v, size in zip(voxel, image.shape[1:], strict=True)):
            share = np.prod([f if c else 1 - f for c, f in zip(corner, at - low, strict=True)])
            value += share * image[(slice(None), *voxel)]
    return value


def slow_deformable_conv(x: Tensor, offset: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    x_, offset_, modulation_, weight_ = (tensor.double().numpy() for tensor in (x, offset, modulation, weight))
    size, kernel = x.shape[2:], weight.shape[2:]
    dims = len(size)
    out = np.zeros((x.shape[0], weight.shape[0], *size))
    for b, voxel in product(range(x.shape[0]), np.ndindex(*size)):
        for k, tap in enumerate(np.ndindex(*kernel)):
            moved = offset_[(b, slice(k * dims, (k + 1) * dims), *voxel)]
            at = np.array(voxel) + np.array(tap) - np.array(kernel) // 2 + moved
            sample = interpolate(x_[b], at) * modulation_[(b, k, *voxel)]
            out[(b, slice(None), *voxel)] += weight_[(slice(None), slice(None), *tap)] @ sample
    if bias is not None:
        out += bias.double().numpy().reshape(1, -1, *[1] * dims)
    return torch.from_numpy(out)


def random_inputs(
    size: tuple[int, ...], kernel: tuple[int, ...], reach: float, batch: int = 2
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, offset, modulation, weight, bias in float64; two channels in, three out."""
    generator = torch.Generator().manual_seed(7)
    taps, dims = int(np.prod(kernel)), len(size)
    x = torch.randn(batch, 2, *size, generator=generator, dtype=torch.float64)
    offset = reach * (2 * torch.rand(batch, taps * dims, *size, generator=generator, dtype=torch.float64) - 1)
    modulation = 2 * torch.rand(batch, taps, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 2, *kernel, generator=generator, dtype=torch.float64)
    bias = torch.randn(3, generator=generator, dtype=torch.float64)
    return x, offset, modulation, weight, bias


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("reach", [0.7, 20.0])
@pytest.mark.parametrize(("size", "kernel"), CASES)
def test_equals_the_loop(size: tuple[int, ...], kernel: tuple[int, ...], reach: float, with_bias: bool) -> None:
    x, offset, modulation, weight, bias = random_inputs(size, kernel, reach)
    arguments = (x, offset, modulation, weight, bias if with_bias else None)
    torch.testing.assert_close(deformable_conv(*arguments), slow_deformable_conv(*arguments), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("size", "kernel"), CASES)
def test_no_offset_and_full_modulation_is_a_plain_convolution(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    x, offset, modulation, weight, bias = random_inputs(size, kernel, reach=0.0)
    plain = CONV[len(size)](x, weight, bias, padding=[k // 2 for k in kernel])
    found = deformable_conv(x, torch.zeros_like(offset), torch.ones_like(modulation), weight, bias)
    torch.testing.assert_close(found, plain)


@pytest.mark.parametrize(("size", "shift"), [((6, 9), (2, -1)), ((5, 4, 7), (-1, 2, 3))])
def test_whole_offsets_shift_a_plain_convolution(size: tuple[int, ...], shift: tuple[int, ...]) -> None:
    dims, margin = len(size), 4
    x, offset, modulation, weight, bias = random_inputs(size, (3,) * dims, reach=0.0)
    taps = modulation.shape[1]
    moves = torch.tensor(shift, dtype=x.dtype).repeat(taps).reshape(1, -1, *[1] * dims).expand_as(offset)
    wide = CONV[dims](F.pad(x, [margin] * (2 * dims)), weight, bias, padding=1)
    window = [slice(margin + s, margin + s + n) for s, n in zip(shift, size, strict=True)]
    found = deformable_conv(x, moves, torch.ones_like(modulation), weight, bias)
    torch.testing.assert_close(found, wide[(..., *window)])


def test_offsets_are_ordered_tap_by_tap_and_axis_by_axis() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0, 2] = 1  # third tap: at (-1, +1) of the voxel
    offset, modulation = torch.zeros(1, 18, 3, 4), torch.ones(1, 9, 3, 4)
    offset[0, 4], offset[0, 5] = 2, -2  # its first and its second axis: now at (+1, -1)
    found = deformable_conv(x, offset, modulation, weight)
    torch.testing.assert_close(found[0, 0, 1], torch.tensor([0.0, 8.0, 9.0, 10.0]))


@pytest.mark.parametrize(("size", "kernel"), [((3, 4), (3, 3)), ((2, 3, 2), (3, 1, 3))])
def test_gradients_of_every_input(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    inputs = random_inputs(size, kernel, reach=2.0, batch=1)
    # the interpolation has a kink at whole voxels, so the taps are kept away from them
    offset = inputs[1].floor() + 0.2 + 0.6 * (inputs[1] - inputs[1].floor())
    arguments = [tensor.requires_grad_() for tensor in (inputs[0], offset.detach(), *inputs[2:])]
    assert torch.autograd.gradcheck(deformable_conv, arguments)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_taps_in_place(dtype: torch.dtype) -> None:
    """Positions beyond 256 are no bfloat16 numbers, and a float16 grid is a quarter of a voxel coarse there."""
    x = torch.zeros(1, 1, 3, 600)
    x[..., ::2] = 1
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    offset, modulation = torch.zeros(1, 18, 3, 600), torch.ones(1, 9, 3, 600)
    found = deformable_conv(x.to(dtype), offset.to(dtype), modulation.to(dtype), weight.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), x, rtol=0, atol=1e-3)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_equals_torchvision(device: str) -> None:
    ops = pytest.importorskip("torchvision.ops", reason="torchvision is not installed")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    inputs = [tensor.to(device) for tensor in random_inputs((9, 7), (3, 3), reach=3.0)]
    x, offset, modulation, weight, bias = inputs
    expected = ops.deform_conv2d(x, offset, weight, bias, padding=1, mask=modulation)
    torch.testing.assert_close(deformable_conv(x, offset, modulation, weight, bias), expected)


@pytest.mark.parametrize(("spatial_dims", "size"), [(2, (7, 5)), (3, (4, 5, 3))])
def test_layer_starts_as_half_a_plain_convolution(spatial_dims: int, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = DeformableConv(spatial_dims, channels=4)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 4, *size)
    half = 0.5 * CONV[spatial_dims](x, layer.weight, padding=1) + layer.bias.reshape(1, -1, *[1] * spatial_dims)
    torch.testing.assert_close(layer(x), half)


@pytest.mark.parametrize(("spatial_dims", "kernel_size"), [(2, 3), (2, 5), (3, 3)])
def test_layer_predicts_offset_and_modulation_from_its_input(spatial_dims: int, kernel_size: int) -> None:
    torch.manual_seed(0)
    layer = DeformableConv(spatial_dims, channels=2, kernel_size=kernel_size)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 2, *[4, 5, 3][:spatial_dims])
    convolution, padding = CONV[spatial_dims], kernel_size // 2
    offset = convolution(x, layer.offset.weight, layer.offset.bias, padding=padding)
    modulation = 1 / (1 + torch.exp(-convolution(x, layer.modulation.weight, layer.modulation.bias, padding=padding)))
    with torch.no_grad():
        expected = slow_deformable_conv(x, offset, modulation, layer.weight, layer.bias)
        torch.testing.assert_close(layer(x).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_parameter_of_a_fresh_layer_learns(spatial_dims: int) -> None:
    torch.manual_seed(0)
    layer = DeformableConv(spatial_dims, channels=3)
    layer(torch.randn(1, 3, *[6] * spatial_dims)).square().sum().backward()
    idle = [name for name, parameter in layer.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert idle == []
