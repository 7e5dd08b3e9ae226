"""Random shallow networks on the intensities, so that a few labeled images stand for many appearances."""

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

KERNELS = (1, 3)  # a layer changes intensities alone, or texture, too


class RandGINd(RandomizableTransform, MapTransform):
    """Pass an image through a random shallow convolutional network and blend the result with the image.

    The global intensity non-linear augmentation of Ouyang et al. (arXiv 2111.12525), made there for networks that see
    one scanner in training and others later: structures keep their outlines while their brightness, its order and
    their texture change. Mean and standard deviation of the image are kept. Each channel is changed on its own, all by
    the same network.

    Args:
        keys: images (C, X, Y[, Z]).
        prob: of a change.
        layers: number of convolutions, each of a random kernel size of 1 or 3, with a leaky ReLU between two.
        width: channels between the convolutions.
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Raises:
        ValueError: when there is no layer or no channel.
    """

    def __init__(
        self, keys: KeysCollection, prob: float = 0.5, layers: int = 4, width: int = 2, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if layers < 1 or width < 1:
            raise ValueError(f"layers {layers} and width {width}: expected 1 or more of each")
        self.layers, self.width = layers, width

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        self.randomize(None)
        if self._do_transform:
            dims = next(sample[key].ndim for key in self.key_iterator(sample)) - 1
            kernels = self._kernels(dims)
            share = float(self.R.uniform())
            for key in self.key_iterator(sample):
                image = torch.as_tensor(sample[key]).as_subclass(Tensor).float()
                sample[key] = convert_to_dst_type(_blended(image, kernels, share), sample[key])[0]
        return sample

    def _kernels(self, dims: int) -> list[tuple[Tensor, Tensor]]:
        widths = [1, *[self.width] * (self.layers - 1), 1]
        kernels = []
        for taken, given in pairwise(widths):
            size = int(self.R.choice(KERNELS))
            weight = self.R.normal(size=(given, taken, *[size] * dims)).astype(np.float32)
            kernels.append((torch.from_numpy(weight), torch.from_numpy(self.R.normal(size=given).astype(np.float32))))
        return kernels


def _blended(image: Tensor, kernels: list[tuple[Tensor, Tensor]], share: float) -> Tensor:
    axes = tuple(range(1, image.dim()))
    mean, spread = image.mean(axes, keepdim=True), image.std(axes, keepdim=True)
    changed = _standardized(share * _standardized(_passed(image, kernels)) + (1 - share) * _standardized(image))
    return changed * spread + mean


def _passed(image: Tensor, kernels: list[tuple[Tensor, Tensor]]) -> Tensor:
    convolve = F.conv3d if image.dim() == 4 else F.conv2d
    found = image[:, None]
    for number, (weight, bias) in enumerate(kernels):
        found = F.leaky_relu(found) if number else found
        margin = [weight.shape[-1] // 2] * (2 * (image.dim() - 1))
        found = convolve(F.pad(found, margin, mode="replicate"), weight, bias)
    return found[:, 0]


def _standardized(image: Tensor) -> Tensor:
    axes = tuple(range(1, image.dim()))
    return (image - image.mean(axes, keepdim=True)) / image.std(axes, keepdim=True).clamp(min=1e-5)
