"""Modulated deformable convolution in 2-D and 3-D, written with ``grid_sample``."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.nn import functional as F

try:
    from torchvision.ops import deform_conv2d as _torchvision_deform_conv2d
except (ImportError, RuntimeError):  # RuntimeError: torchvision was built for another version of torch
    _torchvision_deform_conv2d = None


def deformable_conv(x: Tensor, *, offset: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with taps that are displaced and scaled at every position.

    The output has the size of the input, the stride is 1, and values outside the image are zeros. See Zhu et al.,
    "Deformable ConvNets v2", arXiv 1811.11168, equation 1.

    Args:
        x: input, (B, C, X, Y[, Z]).
        offset: displacements in voxels, (B, K * D, X, Y[, Z]) with K taps and D spatial dimensions, tap by tap and
            within a tap axis by axis, as in ``torchvision.ops.deform_conv2d``.
        modulation: factor of every tap, (B, K, X, Y[, Z]); it is used as given, without an activation.
        weight: (C_out, C, k, k[, k]), odd sizes.
        bias: (C_out,) or None.

    Returns:
        (B, C_out, X, Y[, Z]).

    Example:
        >>> x, weight = torch.rand(1, 2, 6, 5), torch.rand(3, 2, 3, 3)
        >>> offset, modulation = torch.zeros(1, 9 * 2, 6, 5), torch.ones(1, 9, 6, 5)
        >>> result = deformable_conv(x, offset=offset, modulation=modulation, weight=weight, bias=None)
        >>> torch.allclose(result, F.conv2d(x, weight, padding=1), atol=1e-5)
        True
    """
    dims = x.dim() - 2
    taps = weight[0, 0].numel()
    # half precision cannot tell neighboring voxels of a large image apart, so taps are placed and read in float32
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    # one grid_sample for all taps: they are laid out along the first spatial axis
    shape = x.shape[2:]
    displacement = offset.reshape([x.shape[0], taps, dims] + list(shape))
    tap_index = torch.arange(taps, device=x.device)
    coordinates: list[Tensor] = []
    for axis in range(dims):
        size = x.shape[2 + axis]
        taps_per_step = weight[0, 0].numel()
        for d in range(axis + 1):
            taps_per_step = taps_per_step // weight.shape[2 + d]
        kernel = weight.shape[2 + axis]
        tap = torch.div(tap_index, taps_per_step, rounding_mode="floor") % kernel - kernel // 2
        voxel = torch.arange(size, device=x.device, dtype=x.dtype)
        along_axis = [1] * (dims + 2)
        along_axis[2 + axis] = size
        position = voxel.reshape(along_axis) + tap.to(x.dtype).reshape([1, taps] + [1] * dims)
        position = position + displacement[:, :, axis]
        coordinates.insert(0, (2 * position + 1) / size - 1)  # grid_sample expects the last axis first
    grid = torch.stack(coordinates, dim=-1)
    grid = grid.reshape([x.shape[0], taps * shape[0]] + list(shape[1:]) + [dims])
    sampled = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    sampled = sampled.reshape([x.shape[0], x.shape[1], taps] + list(shape)) * modulation.unsqueeze(1)
    kernels = weight.flatten(1).unsqueeze(0).expand(x.shape[0], -1, -1)  # matmul would copy all samples
    out = torch.bmm(kernels, sampled.flatten(3).flatten(1, 2).to(weight.dtype))
    if bias is not None:
        out = out + bias[:, None]
    return out.reshape([x.shape[0], weight.shape[0]] + list(shape))


class DeformableConv(nn.Module):
    """Deformable convolution whose offsets and modulation are predicted from its own input.

    Both predictors are initialized with zeros, so the layer starts as a plain convolution with all taps halved.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
        kernel_size: odd size of the kernel along every axis.

    Example:
        >>> DeformableConv(spatial_dims=2, channels=4)(torch.rand(2, 4, 9, 7)).shape
        torch.Size([2, 4, 9, 7])
    """

    def __init__(self, spatial_dims: int, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        taps = kernel_size**spatial_dims
        self.spatial_dims = spatial_dims
        convolution = Conv["conv", spatial_dims]
        prototype = convolution(channels, channels, kernel_size, bias=False)
        self.weight = nn.Parameter(prototype.weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(channels))
        self.offset = convolution(channels, taps * spatial_dims, kernel_size, padding=kernel_size // 2)
        self.modulation = convolution(channels, taps, kernel_size, padding=kernel_size // 2)
        for predictor in (self.offset, self.modulation):
            nn.init.zeros_(predictor.weight)
            nn.init.zeros_(predictor.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (B, channels, X, Y[, Z]), of the same shape."""
        offset, modulation = self.offset(x), torch.sigmoid(self.modulation(x))
        # torchvision's kernel is 2-D only, and on a CPU it is slower than grid_sample
        if not torch.jit.is_scripting():  # noqa: SIM102 - the compiler skips only what is nested under this very line
            if _torchvision_deform_conv2d is not None and x.is_cuda and self.spatial_dims == 2:
                padding = self.weight.shape[-1] // 2
                return _torchvision_deform_conv2d(x, offset, self.weight, self.bias, padding=padding, mask=modulation)
        return deformable_conv(x, offset=offset, modulation=modulation, weight=self.weight, bias=self.bias)
