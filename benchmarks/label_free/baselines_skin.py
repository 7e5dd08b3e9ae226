"""Simple label-free methods for a skin lesion: what a trained network has to beat.

All share one clean-up: the vignette of the dermatoscope is no lesion, clusters are named by the border ring (skin)
against the center, and of what is left the component with most weight at the center is kept, its holes filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.data import PILReader
from monai.transforms import Resize
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, segmentation
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from benchmarks.label_free.merged_superpixels import merged_superpixels
from s3net_monai.io import upright_rgb
from s3net_monai.transforms.skin_labeling import center_weight, central_component, vignette

Mask = NDArray[np.bool_]
Labels = NDArray[np.integer]
LARGEST = 256  # pixels along the longer side at which the methods work
_SAMPLE = 10_000  # pixels that a mixture is fitted to


@dataclass(frozen=True)
class Picture:
    """A blurred picture (3, X, Y) in [0, 1], its CIELAB colors, what of it is no vignette, and what is surely skin."""

    rgb: NDArray[np.floating]
    lab: NDArray[np.floating]
    usable: Mask
    rim: Mask


Method = Callable[[Picture, int], tuple[Mask, Labels]]


def simple_rows() -> list[Row]:
    """One row a method; those that start at random have three seeds."""
    return [
        _row("everything foreground", everything),
        _row("Otsu, blue", otsu_blue),
        _row("k-means, k=2", lambda picture, seed: k_means(picture, seed, 2), seeds=(0, 1, 2)),
        _row("k-means, k=3", lambda picture, seed: k_means(picture, seed, 3), seeds=(0, 1, 2)),
        _row("Gaussian mixture, 2 classes", lambda picture, seed: gaussian_mixture(picture, seed, 2), seeds=(0, 1, 2)),
        _row("random walker", random_walker),
        _row("super-pixel merging", superpixel_merging),
    ]


def read_picture(path: Path) -> NDArray[np.floating]:
    """A picture file upright as RGB (3, X, Y) in [0, 1], read as the skin bundle reads it."""
    reader = PILReader(converter=upright_rgb)
    picture, _ = reader.get_data(reader.read(path))
    return np.moveaxis(np.asarray(picture, dtype=np.float32), -1, 0) / 255


def segment(image: NDArray[np.floating], method: Method, seed: int = 0) -> Partition:
    """Apply a method at 256 pixels or less and bring its mask and clusters back to the size of the image.

    Args:
        image: RGB (3, X, Y) in [0, 1].
        method: gives the lesion and all clusters of a `Picture`.
        seed: of the methods that start at random.
    """
    shape = image.shape[1:]
    picture = prepare_picture(image)
    mask, clusters = method(picture, seed)
    return Partition(_resized(mask[None], shape, "bilinear")[0] > 0.5, _resized_labels(clusters, shape))


def prepare_picture(image: NDArray[np.floating]) -> Picture:
    """Shrink and blur a picture (3, X, Y), and find its vignette and the fifth of the rest farthest from the center."""
    scale = min(1.0, LARGEST / max(image.shape[1:]))
    small = _resized(image, tuple(max(1, round(size * scale)) for size in image.shape[1:]), "area")
    blurred = ndimage.gaussian_filter(small, (0, *[size / 100 for size in small.shape[1:]])).clip(0, 1)
    usable = ~vignette(blurred.mean(axis=0))
    if not usable.any():
        usable = np.ones_like(usable)
    weight = center_weight(usable.shape)
    lab = np.moveaxis(color.rgb2lab(np.moveaxis(blurred, 0, -1)), -1, 0)
    return Picture(blurred, lab, usable, usable & (weight <= np.quantile(weight[usable], 0.2)))


def everything(picture: Picture, seed: int) -> tuple[Mask, Labels]:
    """Every pixel is lesion, with no clean-up."""
    return np.ones_like(picture.usable), np.zeros(picture.usable.shape, dtype=int)


def otsu_blue(picture: Picture, seed: int) -> tuple[Mask, Labels]:
    """Otsu's threshold on the blue channel, of which skin reflects much and melanin little."""
    blue = picture.rgb[2]
    dark = blue <= filters.threshold_otsu(blue[picture.usable])
    return central_component(dark & picture.usable), dark.astype(int)


def k_means(picture: Picture, seed: int, count: int) -> tuple[Mask, Labels]:
    """k-means on CIELAB colors."""
    colors, sample = _colors(picture, seed)
    clusters = KMeans(count, n_init=3, random_state=seed).fit(sample).predict(colors)
    return _named(picture, clusters.reshape(picture.usable.shape))


def gaussian_mixture(picture: Picture, seed: int, count: int) -> tuple[Mask, Labels]:
    """A mixture of Gaussians of full covariance over CIELAB colors."""
    colors, sample = _colors(picture, seed)
    mixture = GaussianMixture(count, n_init=2, reg_covar=0.1, random_state=seed).fit(sample)
    return _named(picture, mixture.predict(colors).reshape(picture.usable.shape))


def random_walker(picture: Picture, seed: int) -> tuple[Mask, Labels]:
    """Grady's random walker from the rim (skin) and from the inner part of Otsu's lesion."""
    lesion, _ = otsu_blue(picture, seed)
    depth = ndimage.distance_transform_edt(lesion)
    core = depth > 0.3 * depth.max()
    seeds = np.where(core, 2, 0) + np.where(picture.rim & ~lesion, 1, 0)
    if len(np.unique(seeds)) < 3:
        return lesion, lesion.astype(int)
    walked = segmentation.random_walker(picture.lab, seeds, beta=1000, mode="cg_j", channel_axis=0, prob_tol=1.0) == 2
    return central_component(walked & picture.usable), walked.astype(int)


def superpixel_merging(picture: Picture, seed: int, regions: int = 6) -> tuple[Mask, Labels]:
    """SLIC super-pixels merged by Ward's criterion on CIELAB colors."""
    return _named(picture, merged_superpixels(picture.lab, 400, regions, compactness=0.03))


def _named(picture: Picture, clusters: Labels) -> tuple[Mask, Labels]:
    """The lesion among the clusters, cleaned up.

    Of two clusters it is the one with a larger share of the center than of the rim. Of more it is those whose color is
    nearer to the center's than to the skin's: skin is the median along the rim, the center the mean over the clusters,
    weighted by how much of the center they hold and how little of them lies on the rim.
    """
    index = np.arange(int(clusters.max()) + 1)
    weight = center_weight(clusters.shape, spread=0.3) * picture.usable
    held = ndimage.sum_labels(weight, clusters, index)
    rim = ndimage.sum_labels(picture.rim, clusters, index)
    if index.size <= 2:
        lesion = held / weight.sum() > rim / picture.rim.sum()
    else:
        sizes = np.maximum(np.bincount(clusters.ravel()), 1)
        colors = np.stack([ndimage.sum_labels(channel, clusters, index) / sizes for channel in picture.lab], axis=1)
        weights = held * (1 - rim / sizes)
        center = weights @ colors / max(weights.sum(), 1e-9)
        skin = np.median(picture.lab[:, picture.rim], axis=1)
        lesion = np.linalg.norm(colors - center, axis=1) < np.linalg.norm(colors - skin, axis=1)
    return central_component(lesion[clusters] & picture.usable), clusters


def _colors(picture: Picture, seed: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    pixels = picture.lab.reshape(3, -1).T
    usable = pixels[picture.usable.ravel()]
    chosen = np.random.default_rng(seed).choice(len(usable), min(_SAMPLE, len(usable)), replace=False)
    return pixels, usable[chosen]


def _resized(image: NDArray[np.generic], shape: tuple[int, ...], mode: str) -> NDArray[np.float32]:
    # MONAI's own anti-aliasing is for the interpolating modes; "area" averages, which needs none
    return np.asarray(Resize(shape, mode=mode)(torch.as_tensor(image, dtype=torch.float32)), dtype=np.float32)


def _resized_labels(labels: Labels, shape: tuple[int, ...]) -> Labels:
    return _resized(labels[None], shape, "nearest-exact")[0].astype(np.int16)


def _row(name: str, method: Method, seeds: tuple[int, ...] = (0,)) -> Row:
    def prepare(seed: int) -> Predict:
        return lambda case: _predict(case, method, seed)

    return Row(name, "simple", prepare, seeds)


def _predict(case: BenchmarkCase, method: Method, seed: int) -> Partition:
    return segment(read_picture(case.image), method, seed)
