"""Edge-aware total variation: cluster borders are cheap where the image has an edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss


class EdgeAwareTotalVariationLoss(_Loss):
    """Mean |difference of neighboring cluster probabilities| * exp(-|difference of the image| / sigma), over all axes.

    Args:
        sigma: image difference, in the image's own unit, at which a border costs 1/e of its full price.

    Raises:
        ValueError: when sigma is not positive.
    """

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__()
        if sigma <= 0:
            raise ValueError(f"sigma is {sigma}, expected a positive number")
        self.sigma = sigma

    def forward(self, input: Tensor, image: Tensor) -> Tensor:
        """Loss of cluster logits (B, K, X, Y[, Z]) over the image (B, C, X, Y[, Z])."""
        if input.shape[2:] != image.shape[2:]:
            raise ValueError(f"logits {tuple(input.shape)} and image {tuple(image.shape)} differ in their spatial size")
        maps = torch.softmax(input, dim=1)
        loss = maps.new_zeros(())
        for axis in range(2, maps.dim()):
            if maps.shape[axis] > 1:
                price = torch.exp(-image.diff(dim=axis).abs().mean(dim=1, keepdim=True) / self.sigma)
                loss = loss + (maps.diff(dim=axis).abs().sum(dim=1, keepdim=True) * price).mean()
        return loss
