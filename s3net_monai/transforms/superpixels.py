"""Felzenszwalb super-pixels of images and of the slices of volumes, kept on disk between runs."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from joblib import Memory
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

Image = NDArray[np.float32]
Regions = NDArray[np.int32]


def superpixels(image: Image, scale: float = 50.0, sigma: float = 0.5, min_size: int = 20) -> Regions:
    """Regions of like intensity after Felzenszwalb and Huttenlocher (IJCV 2004), numbered from 1.

    A volume is cut slice by slice along its last axis, since short-axis stacks and most CT are far coarser there; no
    region then reaches into another slice.

    Args:
        image: (C, X, Y) or (C, X, Y, Z) in [0, 1]; all channels count alike.
        scale: the larger, the larger the regions; in the paper's unit, for intensities up to 255.
        sigma: width in pixels of the Gaussian that smooths the image first.
        min_size: smallest region in pixels.

    Returns:
        (X, Y[, Z]) int32.
    """
    if image.ndim == 3:
        # in double precision whatever the input: ties between edges must not depend on who made the array
        plane = np.moveaxis(image, 0, -1).astype(np.float64)
        return felzenszwalb(plane, scale, sigma, min_size, channel_axis=-1).astype(np.int32) + 1
    regions = np.empty(image.shape[1:], np.int32)
    last = 0
    for index in range(image.shape[-1]):
        regions[..., index] = superpixels(image[..., index], scale, sigma, min_size) + last
        last = int(regions[..., index].max())
    return regions


class Superpixelsd(MapTransform):
    """Add the super-pixels of an image, (1, X, Y[, Z]) int32 from 1, under ``regions_key``; 0 is left for "none".

    A slice takes about 30 ms at 128 x 128 pixels and 120 ms at 256 x 256, so the regions can be kept on disk, by
    ``joblib.Memory``: one entry per image content and settings. Any number of processes can share the folder, and a
    damaged entry is computed again.

    Args:
        keys: the image, (C, X, Y[, Z]) in [0, 1]. Felzenszwalb's regions depend on the window, so choose one first.
        scale, sigma, min_size: see ``superpixels``. LRC (arXiv 2304.03406) does not give its own.
        cache_dir: folder for the regions, made when it is missing; None makes them anew every time.
        regions_key: where the regions go.

    Raises:
        ValueError: for an image that is not within [0, 1].
    """

    def __init__(
        self,
        keys: KeysCollection,
        scale: float = 50.0,
        sigma: float = 0.5,
        min_size: int = 20,
        cache_dir: str | os.PathLike[str] | None = None,
        regions_key: str = "regions",
    ) -> None:
        super().__init__(keys)
        self.scale, self.sigma, self.min_size = float(scale), float(sigma), int(min_size)
        self.regions_key = regions_key
        # A path and its text would be two stores; without a folder the function is called every time.
        cache = Memory(None if cache_dir is None else os.fspath(cache_dir), verbose=0, compress=True)
        self._superpixels = cache.cache(_superpixels_by_version)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = np.ascontiguousarray(torch.as_tensor(sample[key]).cpu(), dtype=np.float32)
            low, high = float(image.min()), float(image.max())
            if not (low >= -1e-3 and high <= 1 + 1e-3):
                raise ValueError(f"{key} is from {low:.4g} to {high:.4g}, expected [0, 1]; scale its intensities first")
            regions = self._superpixels(image, self.scale, self.sigma, self.min_size, version("scikit-image"))
            sample[self.regions_key] = convert_to_tensor(regions[None], dtype=torch.int32)
        return sample


def _superpixels_by_version(image: Image, scale: float, sigma: float, min_size: int, library_version: str) -> Regions:
    del library_version  # a part of the cache's key: another version may draw other regions
    return superpixels(image, scale, sigma, min_size)
