"""Deformable convolution against a loop over every voxel, tap and corner."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.networks import DeformableConv, deformable_conv
from tests.helpers.tensors import parameters_without_gradient

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


def interpolate(image: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Linear interpolation of (C, X, Y[, Z]) at one point, zeros outside."""
    low = np.floor(point).astype(int)
    value = np.zeros(image.shape[0])
    for corner in product((0, 1), repeat=len(point)):
        voxel = low + corner
        if all(0 <= v < size for v, size in zip(voxel, image.shape[1:], strict=True)):
            weight = np.prod([f if c else 1 - f for c, f in zip(corner, point - low, strict=True)])
            value += weight * image[(slice(None), *voxel)]
    return value


def loop_deformable_conv(
    x: Tensor, *, offset: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    x_, offset_, modulation_, weight_ = (tensor.double().numpy() for tensor in (x, offset, modulation, weight))
    size, kernel = x.shape[2:], weight.shape[2:]
    dims = len(size)
    out = np.zeros((x.shape[0], weight.shape[0], *size))
    for b, voxel in product(range(x.shape[0]), np.ndindex(*size)):
        for k, tap in enumerate(np.ndindex(*kernel)):
            displacement = offset_[(b, slice(k * dims, (k + 1) * dims), *voxel)]
            point = np.array(voxel) + np.array(tap) - np.array(kernel) // 2 + displacement
            sample = interpolate(x_[b], point) * modulation_[(b, k, *voxel)]
            out[(b, slice(None), *voxel)] += weight_[(slice(None), slice(None), *tap)] @ sample
    if bias is not None:
        out += bias.double().numpy().reshape(1, -1, *[1] * dims)
    return torch.from_numpy(out)


def random_inputs(size: tuple[int, ...], kernel: tuple[int, ...], *, reach: float, batch: int = 2) -> dict[str, Tensor]:
    """Arguments of ``deformable_conv`` in float64, two channels in, three out, offsets up to ``reach`` voxels."""
    generator = torch.Generator().manual_seed(7)
    taps, dims = int(np.prod(kernel)), len(size)
    x = torch.randn(batch, 2, *size, generator=generator, dtype=torch.float64)
    offset = reach * (2 * torch.rand(batch, taps * dims, *size, generator=generator, dtype=torch.float64) - 1)
    modulation = 2 * torch.rand(batch, taps, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 2, *kernel, generator=generator, dtype=torch.float64)
    bias = torch.randn(3, generator=generator, dtype=torch.float64)
    return {"x": x, "offset": offset, "modulation": modulation, "weight": weight, "bias": bias}


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("reach", [0.7, 20.0])
@pytest.mark.parametrize(("size", "kernel"), CASES)
def test_equals_the_loop(size: tuple[int, ...], kernel: tuple[int, ...], reach: float, with_bias: bool) -> None:
    arguments: dict[str, Any] = random_inputs(size, kernel, reach=reach)
    if not with_bias:
        arguments["bias"] = None
    torch.testing.assert_close(deformable_conv(**arguments), loop_deformable_conv(**arguments), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("size", "kernel"), CASES)
def test_no_offset_and_full_modulation_is_convolution(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    inputs = random_inputs(size, kernel, reach=0.0)
    plain = CONV[len(size)](inputs["x"], inputs["weight"], inputs["bias"], padding=[k // 2 for k in kernel])
    inputs["offset"], inputs["modulation"] = torch.zeros_like(inputs["offset"]), torch.ones_like(inputs["modulation"])
    torch.testing.assert_close(deformable_conv(**inputs), plain)


@pytest.mark.parametrize(("size", "shift"), [((6, 9), (2, -1)), ((5, 4, 7), (-1, 2, 3))])
def test_whole_offsets_shift_a_plain_convolution(size: tuple[int, ...], shift: tuple[int, ...]) -> None:
    dims, margin = len(size), 4
    inputs = random_inputs(size, (3,) * dims, reach=0.0)
    x, modulation = inputs["x"], inputs["modulation"]
    shifts = torch.tensor(shift, dtype=x.dtype).repeat(modulation.shape[1]).reshape(1, -1, *[1] * dims)
    wide = CONV[dims](F.pad(x, [margin] * (2 * dims)), inputs["weight"], inputs["bias"], padding=1)
    window = [slice(margin + s, margin + s + n) for s, n in zip(shift, size, strict=True)]
    inputs["offset"], inputs["modulation"] = shifts.expand_as(inputs["offset"]), torch.ones_like(modulation)
    torch.testing.assert_close(deformable_conv(**inputs), wide[(..., *window)])


def test_offsets_are_ordered_tap_by_tap_and_axis_by_axis() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0, 2] = 1  # third tap: at (-1, +1) of the voxel
    offset, modulation = torch.zeros(1, 18, 3, 4), torch.ones(1, 9, 3, 4)
    offset[0, 4], offset[0, 5] = 2, -2  # its first and its second axis: now at (+1, -1)
    result = deformable_conv(x, offset=offset, modulation=modulation, weight=weight, bias=None)
    torch.testing.assert_close(result[0, 0, 1], torch.tensor([0.0, 8.0, 9.0, 10.0]))


@pytest.mark.parametrize(("size", "kernel"), [((3, 4), (3, 3)), ((2, 3, 2), (3, 1, 3))])
def test_gradients_of_every_input(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    inputs = random_inputs(size, kernel, reach=2.0, batch=1)
    # the interpolation is not differentiable at whole voxels, so the taps stay away from them
    offset = inputs["offset"]
    inputs["offset"] = offset.floor() + 0.2 + 0.6 * (offset - offset.floor())
    tensors = [tensor.requires_grad_() for tensor in inputs.values()]
    assert torch.autograd.gradcheck(lambda *values: deformable_conv(**dict(zip(inputs, values, strict=True))), tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_taps_in_place(dtype: torch.dtype) -> None:
    """bfloat16 cannot represent positions above 256, and a float16 grid has steps of a quarter voxel there."""
    x = torch.zeros(1, 1, 3, 600)
    x[..., ::2] = 1
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    offset, modulation = torch.zeros(1, 18, 3, 600), torch.ones(1, 9, 3, 600)
    inputs = {"x": x, "offset": offset, "modulation": modulation, "weight": weight}
    result = deformable_conv(**{name: tensor.to(dtype) for name, tensor in inputs.items()}, bias=None)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), x, rtol=0, atol=1e-3)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_equals_torchvision(device: str) -> None:
    ops = pytest.importorskip("torchvision.ops", reason="torchvision is not installed")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    inputs = {name: tensor.to(device) for name, tensor in random_inputs((9, 7), (3, 3), reach=3.0).items()}
    x, offset, weight = (inputs[name] for name in ("x", "offset", "weight"))
    expected = ops.deform_conv2d(x, offset, weight, inputs["bias"], padding=1, mask=inputs["modulation"])
    torch.testing.assert_close(deformable_conv(**inputs), expected)


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
        expected = loop_deformable_conv(x, offset=offset, modulation=modulation, weight=layer.weight, bias=layer.bias)
        torch.testing.assert_close(layer(x).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_parameter_of_a_new_layer_learns(spatial_dims: int) -> None:
    torch.manual_seed(0)
    layer = DeformableConv(spatial_dims, channels=3)
    layer(torch.randn(1, 3, *[6] * spatial_dims)).square().sum().backward()
    assert parameters_without_gradient(layer) == []
