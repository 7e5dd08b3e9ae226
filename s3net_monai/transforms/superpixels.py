"""Felzenszwalb super-pixels of images and of slices of volumes, with a cache on disk."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor
from skimage.segmentation import felzenszwalb

from s3net_monai.transforms.region_cache import Image, Regions, cached_regions


def superpixels(image: Image, *, scale: float = 50.0, sigma: float = 0.5, min_size: int = 20) -> Regions:
    """Return regions of similar intensity, numbered from 1.

    The algorithm is that of Felzenszwalb and Huttenlocher (IJCV 2004). A volume is segmented slice by slice along its
    last axis, since short-axis stacks and most CT are far coarser there; no region then extends into another slice.

    Args:
        image: (C, X, Y) or (C, X, Y, Z) in [0, 1]; all channels have equal weight.
        scale: a larger value makes larger regions; in the paper's unit, for intensities up to 255.
        sigma: standard deviation in pixels of the Gaussian that smooths the image first.
        min_size: smallest region in pixels.

    Returns:
        (X, Y[, Z]) int32.
    """
    if image.ndim == 3:
        # Double precision for every input: ties between edges must not depend on the type of the array.
        plane = np.moveaxis(image, 0, -1).astype(np.float64)
        return felzenszwalb(plane, scale=scale, sigma=sigma, min_size=min_size, channel_axis=-1).astype(np.int32) + 1
    regions = np.empty(image.shape[1:], np.int32)
    last = 0
    for index in range(image.shape[-1]):
        plane_regions = superpixels(image[..., index], scale=scale, sigma=sigma, min_size=min_size)
        regions[..., index] = plane_regions + last
        last = int(regions[..., index].max())
    return regions


class Superpixelsd(MapTransform):
    """Add the super-pixels of an image, (1, X, Y[, Z]) int32 from 1.

    The value 0 is not used; it can mean "no region". A slice takes about 30 ms at 128 x 128 pixels and 120 ms at 256 x
    256, so the regions can be cached on disk: one entry per image content and settings. Any number of processes can
    share the folder, and a damaged entry is computed again.

    Args:
        keys: the image, (C, X, Y[, Z]) in [0, 1]. Felzenszwalb's regions depend on the window, so choose one first.
        scale: see ``superpixels``; LRC (arXiv 2304.03406) states neither this nor the next two.
        sigma: see ``superpixels``.
        min_size: see ``superpixels``.
        cache_dir: folder for the regions, created if it is missing; None computes them every time.
        regions_key: where the regions are stored.

    Raises:
        ValueError: for an image that is not within [0, 1].

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 16, 16)
        >>> image[..., 8:] = 1
        >>> regions = Superpixelsd("image", sigma=0)({"image": image})["regions"]
        >>> regions.shape, regions.unique().tolist()
        (torch.Size([1, 16, 16]), [1, 2])
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        scale: float = 50.0,
        sigma: float = 0.5,
        min_size: int = 20,
        cache_dir: str | os.PathLike[str] | None = None,
        regions_key: str = "regions",
    ) -> None:
        super().__init__(keys)
        self.scale, self.sigma, self.min_size = float(scale), float(sigma), int(min_size)
        self.regions_key = regions_key
        self.cache_dir = None if cache_dir is None else Path(cache_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with its regions."""
        sample = dict(data)
        settings: dict[str, Any] = {"scale": self.scale, "sigma": self.sigma, "min_size": self.min_size}
        for key in self.key_iterator(sample):
            image = np.ascontiguousarray(torch.as_tensor(sample[key]).cpu(), dtype=np.float32)
            low, high = float(image.min()), float(image.max())
            if not (low >= -1e-3 and high <= 1 + 1e-3):
                raise ValueError(f"{key} is from {low:.4g} to {high:.4g}, expected [0, 1]; scale its intensities first")
            # Another version may compute other regions.
            names = {**settings, "scikit-image": version("scikit-image")}
            regions = cached_regions(self.cache_dir, image, names, partial(superpixels, image, **settings))
            sample[self.regions_key] = convert_to_tensor(regions[None], dtype=torch.int32)
        return sample
