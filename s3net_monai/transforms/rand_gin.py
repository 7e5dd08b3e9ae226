"""Global intensity non-linear augmentation (GIN) by random shallow networks.

It varies the appearance of images where few are labeled.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type
from torch import Tensor
from torch.nn import functional as F

KERNEL_SIZES = (1, 3)  # 1 changes intensities alone, 3 changes texture too


class RandGINd(RandomizableTransform, MapTransform):
    """Blend an image with the output of a random shallow convolutional network.

    This is the global intensity non-linear augmentation of Ouyang et al. (arXiv 2111.12525), made there for networks
    that are trained on one scanner and tested on others: structures keep their outlines while their brightness, its
    order and their texture change. Mean and standard deviation of the image are preserved. Each channel is changed
    independently, all by the same network.

    Args:
        keys: images (C, X, Y[, Z]).
        prob: probability of a change.
        layers: number of convolutions, each of a random kernel size of 1 or 3, with a leaky ReLU between two.
        width: channels between the convolutions.
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Raises:
        ValueError: when there is no layer or no channel.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 8, 8)
        >>> result = RandGINd("image", prob=1.0).set_random_state(0)({"image": image})["image"]
        >>> result.shape, torch.allclose(result.mean(), image.mean(), atol=1e-4)
        (torch.Size([1, 8, 8]), True)
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        prob: float = 0.5,
        layers: int = 4,
        width: int = 2,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if layers < 1 or width < 1:
            raise ValueError(f"layers {layers} and width {width}: expected 1 or more of each")
        self.layers, self.width = layers, width

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample, with probability ``prob`` with changed images."""
        sample = dict(data)
        self.randomize(None)
        if self._do_transform:
            dims = next(sample[key].ndim for key in self.key_iterator(sample)) - 1
            layers = self._random_layers(dims)
            blend_weight = float(self.R.uniform())
            for key in self.key_iterator(sample):
                image = torch.as_tensor(sample[key]).as_subclass(Tensor).float()
                sample[key] = convert_to_dst_type(_blended(image, layers, blend_weight), sample[key])[0]
        return sample

    def _random_layers(self, dims: int) -> list[tuple[Tensor, Tensor]]:
        """Return weight and bias of every convolution."""
        widths = [1, *[self.width] * (self.layers - 1), 1]
        layers = []
        for in_channels, out_channels in pairwise(widths):
            size = int(self.R.choice(KERNEL_SIZES))
            weight = self.R.normal(size=(out_channels, in_channels, *[size] * dims)).astype(np.float32)
            bias = self.R.normal(size=out_channels).astype(np.float32)
            layers.append((torch.from_numpy(weight), torch.from_numpy(bias)))
        return layers


def _blended(image: Tensor, layers: list[tuple[Tensor, Tensor]], blend_weight: float) -> Tensor:
    axes = tuple(range(1, image.dim()))
    mean, deviation = image.mean(axes, keepdim=True), image.std(axes, keepdim=True)
    output, original = _standardized(_network_output(image, layers)), _standardized(image)
    return _standardized(blend_weight * output + (1 - blend_weight) * original) * deviation + mean


def _network_output(image: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    convolve = F.conv3d if image.dim() == 4 else F.conv2d
    features = image[:, None]  # the image's channels form the batch
    for index, (weight, bias) in enumerate(layers):
        features = F.leaky_relu(features) if index else features
        margin = [weight.shape[-1] // 2] * (2 * (image.dim() - 1))
        features = convolve(F.pad(features, margin, mode="replicate"), weight, bias)
    return features[:, 0]


def _standardized(image: Tensor) -> Tensor:
    axes = tuple(range(1, image.dim()))
    return (image - image.mean(axes, keepdim=True)) / image.std(axes, keepdim=True).clamp(min=1e-5)
