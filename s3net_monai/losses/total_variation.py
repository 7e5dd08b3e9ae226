"""Edge-aware total variation: cluster borders cost less where the image has an edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss


class EdgeAwareTotalVariationLoss(_Loss):
    """Total variation of the cluster probabilities, discounted at image edges.

    It is the sum over all axes of the mean of
    |difference of neighboring cluster probabilities| * exp(-|difference of the image| / sigma).

    Args:
        sigma: image difference, in the unit of the image, at which a border costs 1/e of its full price.

    Raises:
        ValueError: when sigma is not positive.

    Example:
        >>> logits, image = torch.randn(1, 3, 8, 8), torch.rand(1, 1, 8, 8)
        >>> EdgeAwareTotalVariationLoss(sigma=0.1)(logits, image).item() > 0
        True
    """

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__()
        if sigma <= 0:
            raise ValueError(f"sigma is {sigma}, expected a positive number")
        self.sigma = sigma

    def forward(self, input: Tensor, image: Tensor) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: cluster logits (B, K, X, Y[, Z]).
            image: (B, C, X, Y[, Z]).

        Raises:
            ValueError: when the spatial sizes differ.
        """
        if input.shape[2:] != image.shape[2:]:
            raise ValueError(f"logits {tuple(input.shape)} and image {tuple(image.shape)} differ in their spatial size")
        maps = torch.softmax(input, dim=1)
        loss = maps.new_zeros(())
        for axis in range(2, maps.dim()):
            if maps.shape[axis] > 1:
                price = torch.exp(-image.diff(dim=axis).abs().mean(dim=1, keepdim=True) / self.sigma)
                loss = loss + (maps.diff(dim=axis).abs().sum(dim=1, keepdim=True) * price).mean()
        return loss
