"""Synthetic chest CT with exact ground truth of the lungs.

The ground truth follows clinical lung masks: everything inside the pleura, with the vessels and the small airways, but
without the trachea and the two main bronchi (lumen and wall), which hold air and yet are not lung.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from data_prep.phantom_anatomy import AIR_HU, Anatomy, random_anatomy
from data_prep.phantom_grid import phantom_affine, voxel_coordinates
from data_prep.phantom_tissue import tissue
from data_prep.phantom_trees import Tube, bounding_box, distance_to, lung_trees, main_airways

DEFAULT_SHAPE = (160, 160, 96)
HU_RANGE = (-1024, 3071)  # the range of 12 unsigned bits at a rescale intercept of -1024
_SLAB_VOXELS = 2**21


def lung_phantom(
    shape: Sequence[int] = DEFAULT_SHAPE, seed: int = 0, affine: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate a chest CT of one random patient.

    Equal arguments give equal arrays. The patient depends on the seed alone: another grid shows the same anatomy.

    Args:
        shape: (X, Y, Z).
        seed: of the patient and the noise.
        affine: (4x4, RAS+, mm); ``phantom_affine(shape)`` by default.

    Returns:
        Image (X, Y, Z) int16 in HU within ``HU_RANGE``, ground truth (X, Y, Z) uint8 with 1 = lung, and the affine.
    """
    grid = phantom_affine(shape) if affine is None else np.asarray(affine, float)
    anatomy = random_anatomy(seed)
    image, truth = _draw_solid_parts(anatomy, tuple(shape), affine=grid, seed=seed)
    airways = main_airways(seed)
    bronchi, vessels = lung_trees(seed, airways)
    for vessel in vessels:
        _draw_vessel(image, truth, affine=grid, tube=vessel, blood_hu=anatomy.blood_hu)
    for bronchus in bronchi:
        _draw_airway(image, grid, tube=bronchus, wall=0.25 * bronchus.radius, within=truth)
    for airway in airways:
        _draw_airway(image, grid, tube=airway, wall=1.5, within=None)
        _remove_airway(truth, grid, tube=airway, wall=1.5)
    _simulate_scan(image, anatomy.noise_hu, seed)
    return image, truth, grid


def _draw_solid_parts(
    anatomy: Anatomy, shape: tuple[int, ...], *, affine: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    texture = np.random.default_rng([seed, 4]).standard_normal((48, 48, 48)).astype(np.float32)
    texture = gaussian_filter(texture, 0.7, mode="wrap")
    texture /= texture.std()
    image = np.empty(shape, np.int16)
    truth = np.empty(shape, np.uint8)
    # Slab by slab: the intermediate arrays of a whole 512x512x300 volume would need several gigabytes.
    thickness = max(1, _SLAB_VOXELS // (shape[0] * shape[1]))
    for low in range(0, shape[2], thickness):
        high = min(low + thickness, shape[2])
        points = voxel_coordinates(affine, (0, 0, low), (shape[0], shape[1], high))
        hu, lung = tissue(anatomy, texture, (points[0], points[1], points[2]))
        image[..., low:high] = hu
        truth[..., low:high] = lung
    return image, truth


def _coverage(tube: Tube, affine: np.ndarray, box: tuple[slice, ...], *, radius: float) -> np.ndarray:
    """Return the fraction of each voxel within ``radius`` of the tube's axis: the partial-volume effect."""
    voxel = float(np.cbrt(abs(np.linalg.det(affine[:3, :3]))))
    return np.clip(0.5 + (radius - distance_to(tube, affine, box)) / voxel, 0, 1)


def _draw_vessel(image: np.ndarray, truth: np.ndarray, *, affine: np.ndarray, tube: Tube, blood_hu: float) -> None:
    box = bounding_box(tube, affine, image.shape, margin=tube.radius + 4)
    if box is None or not truth[box].any():
        return
    fraction = _coverage(tube, affine, box, radius=tube.radius) * (truth[box] > 0)
    image[box] = image[box] + fraction * np.maximum(blood_hu - image[box], 0)


def _draw_airway(image: np.ndarray, affine: np.ndarray, *, tube: Tube, wall: float, within: np.ndarray | None) -> None:
    box = bounding_box(tube, affine, image.shape, margin=tube.radius + wall + 4)
    if box is None:
        return
    allowed = np.ones(image[box].shape, bool) if within is None else within[box] > 0
    outer = _coverage(tube, affine, box, radius=tube.radius + wall) * allowed
    inner = _coverage(tube, affine, box, radius=tube.radius) * allowed
    # Where two branches meet, the wall of one must not close the lumen of the other.
    lumen = image[box] < AIR_HU + 30
    walled = np.where(lumen, image[box], image[box] + outer * np.maximum(30 - image[box], 0))
    image[box] = walled + inner * (AIR_HU + 10 - walled)


def _remove_airway(truth: np.ndarray, affine: np.ndarray, *, tube: Tube, wall: float) -> None:
    box = bounding_box(tube, affine, truth.shape, margin=tube.radius + wall)
    if box is not None:
        truth[box] *= distance_to(tube, affine, box) > tube.radius + wall


def _simulate_scan(image: np.ndarray, noise_hu: float, seed: int) -> None:
    """Add the scanner's blur and noise in place: one in-plane Gaussian correlates the noise and softens the edges."""
    sigma = 0.7
    white = noise_hu * 2 * np.sqrt(np.pi) * sigma
    for k in range(image.shape[2]):
        noise = np.random.default_rng([seed, 5, k]).standard_normal(image.shape[:2], dtype=np.float32)
        image[..., k] = np.clip(gaussian_filter(image[..., k] + np.float32(white) * noise, sigma), *HU_RANGE)
