"""Baselines for skin lesions: simple methods that a trained network has to beat.

They share their postprocessing: the vignette of the dermatoscope is excluded, clusters are assigned to skin by the rim
of the image and to lesion by its center, and the component with the largest weight at the center is kept, with its
holes filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from monai.transforms import Resize
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, segmentation
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free.merged_superpixels import merged_superpixels
from s3net_monai.io import Image2DReader, upright_rgb
from s3net_monai.transforms.skin_labeling import center_weight, central_component, vignette

Mask = NDArray[np.bool_]
Labels = NDArray[np.integer]
MAX_SIZE = 256  # pixels along the longer side at which the methods work
_MAX_SAMPLES = 10_000  # pixels that a mixture is fitted to


@dataclass(frozen=True)
class PreparedImage:
    """A blurred image with masks of its usable part and of its rim.

    Attributes:
        rgb: (3, X, Y) in [0, 1].
        lab: CIELAB colors (3, X, Y).
        usable: (X, Y), False for the vignette.
        rim: (X, Y), pixels that are assumed to be skin.
    """

    rgb: NDArray[np.floating]
    lab: NDArray[np.floating]
    usable: Mask
    rim: Mask


Method = Callable[[PreparedImage, int], tuple[Mask, Labels]]


def baseline_rows() -> list[Row]:
    """Return one row per method; methods with a random start have three seeds."""
    return [
        _row("everything foreground", everything),
        _row("Otsu, blue", otsu_blue),
        _row("k-means, k=2", partial(k_means, count=2), seeds=(0, 1, 2)),
        _row("k-means, k=3", partial(k_means, count=3), seeds=(0, 1, 2)),
        _row("Gaussian mixture, 2 classes", partial(gaussian_mixture, count=2), seeds=(0, 1, 2)),
        _row("random walker", random_walker),
        _row("super-pixel merging", superpixel_merging),
    ]


def read_rgb(path: Path) -> NDArray[np.floating]:
    """Read a 2-D image upright as RGB (3, X, Y) in [0, 1], as the skin bundle reads it."""
    reader = Image2DReader(converter=upright_rgb)
    image, _ = reader.get_data(reader.read(path))
    return np.asarray(image, dtype=np.float32) / 255


def segment(image: NDArray[np.floating], method: Method, seed: int = 0) -> Partition:
    """Apply a method at no more than 256 pixels.

    Mask and clusters are resized to the size of the image.

    Args:
        image: RGB (3, X, Y) in [0, 1].
        method: returns the lesion and all clusters of a ``PreparedImage``.
        seed: seed of methods with a random start.
    """
    shape = image.shape[1:]
    mask, clusters = method(prepare_image(image), seed)
    return Partition(_resized(mask[None], shape, "bilinear")[0] > 0.5, _resized_labels(clusters, shape))


def prepare_image(image: NDArray[np.floating]) -> PreparedImage:
    """Shrink and blur an image (3, X, Y), and find its vignette and its rim.

    The rim is the fifth of the other pixels that is farthest from the center.
    """
    scale = min(1.0, MAX_SIZE / max(image.shape[1:]))
    small = _resized(image, tuple(max(1, round(size * scale)) for size in image.shape[1:]), "area")
    blurred = ndimage.gaussian_filter(small, (0, *[size / 100 for size in small.shape[1:]])).clip(0, 1)
    usable = ~vignette(blurred.mean(axis=0))
    if not usable.any():
        usable = np.ones_like(usable)
    weight = center_weight(usable.shape)
    lab = np.moveaxis(color.rgb2lab(np.moveaxis(blurred, 0, -1)), -1, 0)
    return PreparedImage(blurred, lab, usable, usable & (weight <= np.quantile(weight[usable], 0.2)))


def everything(image: PreparedImage, seed: int) -> tuple[Mask, Labels]:
    """Label every pixel as lesion, without postprocessing."""
    return np.ones_like(image.usable), np.zeros(image.usable.shape, dtype=int)


def otsu_blue(image: PreparedImage, seed: int) -> tuple[Mask, Labels]:
    """Apply Otsu's threshold to the blue channel, which skin reflects well and melanin poorly."""
    blue = image.rgb[2]
    dark = blue <= filters.threshold_otsu(blue[image.usable])
    return central_component(dark & image.usable), dark.astype(int)


def k_means(image: PreparedImage, seed: int, count: int) -> tuple[Mask, Labels]:
    """Cluster CIELAB colors by k-means."""
    colors, sample = _colors(image, seed)
    clusters = KMeans(count, n_init=3, random_state=seed).fit(sample).predict(colors)
    return _assigned(image, clusters.reshape(image.usable.shape))


def gaussian_mixture(image: PreparedImage, seed: int, count: int) -> tuple[Mask, Labels]:
    """Cluster CIELAB colors by a mixture of Gaussians with full covariance."""
    colors, sample = _colors(image, seed)
    mixture = GaussianMixture(count, n_init=2, reg_covar=0.1, random_state=seed).fit(sample)
    return _assigned(image, mixture.predict(colors).reshape(image.usable.shape))


def random_walker(image: PreparedImage, seed: int) -> tuple[Mask, Labels]:
    """Apply Grady's random walker.

    Its seeds are the rim (skin) and the inner part of the lesion by Otsu's threshold.
    """
    lesion, _ = otsu_blue(image, seed)
    depth = ndimage.distance_transform_edt(lesion)
    core = depth > 0.3 * depth.max()
    seeds = np.where(core, 2, 0) + np.where(image.rim & ~lesion, 1, 0)
    if len(np.unique(seeds)) < 3:
        return lesion, lesion.astype(int)
    walked = segmentation.random_walker(image.lab, seeds, beta=1000, mode="cg_j", channel_axis=0, prob_tol=1.0) == 2
    return central_component(walked & image.usable), walked.astype(int)


def superpixel_merging(image: PreparedImage, seed: int, regions: int = 6) -> tuple[Mask, Labels]:
    """Merge SLIC super-pixels by Ward's criterion on CIELAB colors."""
    return _assigned(image, merged_superpixels(image.lab, 400, regions=regions, compactness=0.03))


def _assigned(image: PreparedImage, clusters: Labels) -> tuple[Mask, Labels]:
    """Assign clusters to the lesion, and postprocess it.

    Of two clusters, the lesion is the one with a larger fraction of the center than of the rim. Of more, it is those
    whose color is closer to the center's than to the skin's. The skin's color is the median along the rim. The center's
    is the mean over the clusters, weighted by how much of the center they cover and how little of them is on the rim.
    """
    index = np.arange(int(clusters.max()) + 1)
    weight = center_weight(clusters.shape, spread=0.3) * image.usable
    center_weights = ndimage.sum_labels(weight, clusters, index)
    rim = ndimage.sum_labels(image.rim, clusters, index)
    if index.size <= 2:
        lesion = center_weights / weight.sum() > rim / image.rim.sum()
    else:
        sizes = np.maximum(np.bincount(clusters.ravel()), 1)
        colors = np.stack([ndimage.sum_labels(channel, clusters, index) / sizes for channel in image.lab], axis=1)
        weights = center_weights * (1 - rim / sizes)
        center = weights @ colors / max(weights.sum(), 1e-9)
        skin = np.median(image.lab[:, image.rim], axis=1)
        lesion = np.linalg.norm(colors - center, axis=1) < np.linalg.norm(colors - skin, axis=1)
    return central_component(lesion[clusters] & image.usable), clusters


def _colors(image: PreparedImage, seed: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    pixels = image.lab.reshape(3, -1).T
    usable = pixels[image.usable.ravel()]
    indices = np.random.default_rng(seed).choice(len(usable), min(_MAX_SAMPLES, len(usable)), replace=False)
    return pixels, usable[indices]


def _resized(image: NDArray[np.generic], shape: tuple[int, ...], mode: str) -> NDArray[np.float32]:
    # "area" averages, so that no anti-aliasing is needed
    return np.asarray(Resize(shape, mode=mode)(torch.as_tensor(image, dtype=torch.float32)), dtype=np.float32)


def _resized_labels(labels: Labels, shape: tuple[int, ...]) -> Labels:
    return _resized(labels[None], shape, "nearest-exact")[0].astype(np.int16)


def _row(name: str, method: Method, seeds: tuple[int, ...] = (0,)) -> Row:
    def prepare(seed: int) -> Predict:
        return lambda case: _predict(case, method, seed)

    return Row(name, "simple", prepare, seeds=seeds)


def _predict(case: BenchmarkCase, method: Method, seed: int) -> Partition:
    return segment(read_rgb(case.image), method, seed)
