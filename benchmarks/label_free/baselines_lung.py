"""Baselines for the lungs in CT: simple methods that a trained network has to beat.

Each splits the image into classes by intensity and takes the dark ones for air. They share their postprocessing: air
that is connected to the border of its axial slice is outside the body, small components are dropped, and the gaps of
vessels are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Resize
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, segmentation
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free.merged_superpixels import merged_superpixels
from s3net_monai.io import Image2DReader, NiftiReader, upright_gray
from s3net_monai.io.nifti_header import is_nifti
from s3net_monai.transforms.components import large_components
from s3net_monai.transforms.ct_intensity import unknown_scale_to_hu
from s3net_monai.transforms.lung_labeling import air_inside_body, close_gaps

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]
Labels = NDArray[np.integer]
Method = Callable[[Map, int], tuple[Mask, Labels]]
MAX_SIZE = 256  # voxels along X and Y at which the methods work
_LOW, _HIGH = -1000.0, 400.0  # HU that are scaled to 0 and 1
_MAX_SAMPLES = 10_000  # voxels that a mixture is fitted to


def baseline_rows() -> list[Row]:
    """Return one row per method, for 2-D slices and volumes alike.

    Methods with a random start have three seeds.
    """
    return [
        _row("everything foreground", everything),
        _row("Otsu, air", otsu_air),
        _row("-400 HU and largest components", fixed_threshold),
        _row("k-means, k=2", partial(k_means, count=2), seeds=(0, 1, 2)),
        _row("k-means, k=3", partial(k_means, count=3), seeds=(0, 1, 2)),
        _row("Gaussian mixture, 3 classes", partial(gaussian_mixture, count=3), seeds=(0, 1, 2)),
        _row("random walker", random_walker),
        _row("super-pixel merging", superpixel_merging),
    ]


def read_ct(path: Path) -> Map:
    """Read a 2-D image (1, X, Y) or a NIfTI volume (1, X, Y, Z), scaled to [0, 1].

    0 is -1000 HU, and 1 is 400 HU.

    The array is on the file's own grid, and the third axis of a volume is assumed to be axial. The HU of a 2-D image
    are estimated from the means of its dark and its bright side (``unknown_scale_to_hu``).
    """
    reader: Any = NiftiReader() if is_nifti(path) else Image2DReader(converter=upright_gray)
    values = np.asarray(reader.get_data(reader.read(path))[0], dtype=np.float32)[None]
    if values.ndim == 3:
        slope, intercept = unknown_scale_to_hu(values)
        values = values * slope + intercept
    return ((values - _LOW) / (_HIGH - _LOW)).clip(0, 1)


def segment(image: Map, method: Method, seed: int = 0) -> Partition:
    """Apply a method at no more than 256 voxels along X and Y.

    Mask and clusters are resized to the size of the image.

    Args:
        image: (1, X, Y) or (1, X, Y, Z) in [0, 1], as ``read_ct`` returns it.
        method: returns the lungs and all clusters of a volume (X, Y, Z).
        seed: seed of methods with a random start.
    """
    shape = image.shape[1:]
    scale = min(1.0, MAX_SIZE / max(shape[:2]))
    small = tuple(max(1, round(size * scale)) for size in shape[:2]) + shape[2:]
    volume = np.atleast_3d(_resized(image, small, "area")[0])
    mask, clusters = (array.reshape(small)[None] for array in method(volume, seed))
    full = _resized(mask, shape, "trilinear" if len(shape) == 3 else "bilinear")[0] > 0.5
    return Partition(full, _resized(clusters, shape, "nearest-exact")[0].astype(np.int16))


def everything(volume: Map, seed: int) -> tuple[Mask, Labels]:
    """Label every voxel as lung, without postprocessing."""
    return np.ones(volume.shape, dtype=bool), np.zeros(volume.shape, dtype=int)


def otsu_air(volume: Map, seed: int) -> tuple[Mask, Labels]:
    """Apply Otsu's threshold between air and tissue."""
    air = volume < filters.threshold_otsu(
        volume.ravel()
    )  # unraveled, or scikit-image would take three or four slices for colors
    return lungs(air), air.astype(int)


def fixed_threshold(volume: Map, seed: int, hu: float = -400.0) -> tuple[Mask, Labels]:
    """Apply a fixed threshold halfway between lung and soft tissue."""
    air = volume < (hu - _LOW) / (_HIGH - _LOW)
    return lungs(air), air.astype(int)


def k_means(volume: Map, seed: int, count: int) -> tuple[Mask, Labels]:
    """Cluster the intensity by k-means."""
    values, sample = _values(volume, seed)
    return _assigned(
        volume, KMeans(count, n_init=3, random_state=seed).fit(sample).predict(values).reshape(volume.shape)
    )


def gaussian_mixture(volume: Map, seed: int, count: int) -> tuple[Mask, Labels]:
    """Cluster the intensity by a mixture of Gaussians."""
    values, sample = _values(volume, seed)
    mixture = GaussianMixture(count, n_init=2, reg_covar=1e-4, random_state=seed).fit(sample)
    return _assigned(volume, mixture.predict(values).reshape(volume.shape))


def random_walker(volume: Map, seed: int) -> tuple[Mask, Labels]:
    """Apply Grady's random walker slice by slice.

    Its seeds are well inside and well outside of the lungs by Otsu's threshold.
    """
    otsu_lungs, _ = otsu_air(volume, seed)
    margin = max(1, volume.shape[0] // 64)
    walked = np.stack([_walk(volume[..., z], otsu_lungs[..., z], margin) for z in range(volume.shape[2])], axis=-1)
    return large_components(walked), walked.astype(int)


def superpixel_merging(volume: Map, seed: int, regions: int = 20) -> tuple[Mask, Labels]:
    """Merge SLIC super-pixels slice by slice, by Ward's criterion on the mean intensity."""
    count = volume[..., 0].size // 20  # larger super-pixels lose the thin walls between lung and outside air
    slices = [
        merged_superpixels(volume[None, ..., z], count, regions=regions, compactness=0.3)
        for z in range(volume.shape[2])
    ]
    return _assigned(volume, np.stack([labels + z * regions for z, labels in enumerate(slices)], axis=-1))


def lungs(air: Mask) -> Mask:
    """Return lungs from air (X, Y, Z): large components in the body, small gaps closed."""
    return close_gaps(large_components(air_inside_body(air)), max(1, air.shape[0] // 64))


def _assigned(volume: Map, clusters: Labels) -> tuple[Mask, Labels]:
    """Assign dark clusters to air.

    Dark is below the middle between the darkest and the brightest cluster.
    """
    means = ndimage.mean(volume, clusters, np.arange(int(clusters.max()) + 1))
    air = means < (np.nanmin(means) + np.nanmax(means)) / 2  # a cluster without voxels has NaN
    return lungs(air[clusters]), clusters


def _values(volume: Map, seed: int) -> tuple[Map, Map]:
    values = volume.reshape(-1, 1)
    indices = np.random.default_rng(seed).choice(len(values), min(_MAX_SAMPLES, len(values)), replace=False)
    return values, values[indices]


def _walk(image: Map, lung: Mask, margin: int) -> Mask:
    inside = ndimage.binary_erosion(lung, iterations=margin)
    seeds = np.where(inside, 2, np.where(ndimage.binary_dilation(lung, iterations=margin), 0, 1))
    if len(np.unique(seeds)) < 3:
        return lung
    return segmentation.random_walker(image, seeds, beta=1000, mode="cg_j", prob_tol=1.0) == 2


def _resized(image: NDArray[np.generic], shape: tuple[int, ...], mode: str) -> NDArray[np.float32]:
    return np.asarray(Resize(shape, mode=mode)(torch.as_tensor(image, dtype=torch.float32)), dtype=np.float32)


def _row(name: str, method: Method, seeds: tuple[int, ...] = (0,)) -> Row:
    def prepare(seed: int) -> Predict:
        return lambda case: _predict(case, method, seed)

    return Row(name, "simple", prepare, seeds=seeds)


def _predict(case: BenchmarkCase, method: Method, seed: int) -> Partition:
    return segment(read_ct(case.image), method, seed)
