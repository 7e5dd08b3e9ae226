"""Depthwise convolution that keeps to the fast kernels of a CPU."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from s3net_monai.networks.depthwise_planes import depthwise, weight_gradient


class DepthwiseConv(nn.Module):
    """Convolution of every channel with its own kernel, with zeros outside the image.

    Its weights, their initial values and its output are those of ``torch.nn.Conv2d`` or ``Conv3d`` with as many groups
    as channels. On a CPU it is many times faster where the kernel is dilated or 3-D, and in training.

    Args:
        spatial_dims: 2 or 3.
        channels: channels in and out.
        kernel_size: odd size of the kernel along every axis.
        dilation: distance of its taps.

    Example:
        >>> DepthwiseConv(spatial_dims=2, channels=4, kernel_size=7, dilation=3)(torch.rand(1, 4, 20, 25)).shape
        torch.Size([1, 4, 20, 25])
    """

    def __init__(self, spatial_dims: int, channels: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        prototype = Conv["conv", spatial_dims](channels, channels, kernel_size, groups=channels)
        self.weight, self.bias = prototype.weight, prototype.bias
        self.spatial_dims, self.channels, self.dilation = spatial_dims, channels, dilation
        self.padding = dilation * (kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (B, channels, X, Y[, Z]), of the same shape."""
        if not torch.jit.is_scripting():  # noqa: SIM102 - the compiler skips only what is nested under this very line
            if _is_fast_here(x, self.weight):
                if torch.is_grad_enabled():
                    result: Tensor = _Depthwise.apply(x, self.weight, self.bias, self.dilation)
                    return result
                return depthwise(x, self.weight, self.bias, self.dilation)
        if self.spatial_dims == 2:
            return F.conv2d(
                x, self.weight, self.bias, padding=self.padding, dilation=self.dilation, groups=self.channels
            )
        return F.conv3d(x, self.weight, self.bias, padding=self.padding, dilation=self.dilation, groups=self.channels)


def _is_fast_here(x: Tensor, weight: Tensor) -> bool:
    """Return whether the tensors are on a CPU and nothing records or rewrites the operations, as an export does."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
    )


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return depthwise(x, weight, bias, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            flipped = weight.flip(list(range(2, weight.dim())))
            of_x = depthwise(gradient, flipped, None, ctx.dilation)
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(x, gradient, weight, ctx.dilation)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(dim=[0, *range(2, gradient.dim())])
        return of_x, of_weight, of_bias, None
