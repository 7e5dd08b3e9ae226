"""Synthetic short-axis cine MR with exact ground truth of both ventricles and the myocardium, at two phases.

Lengths are in mm of a field of view of ``FIELD_OF_VIEW_MM``, which spreads over the requested grid. Slices run from the
base to the apex, as in ACDC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

DEFAULT_SHAPE = (160, 160, 8)
FIELD_OF_VIEW_MM = 300.0
RV, MYO, LV = 1, 2, 3
DIASTOLE, SYSTOLE = 0.0, 1.0

Points = tuple[np.ndarray, np.ndarray]  # x, y in mm
_WHITE_PERCENTILE = 99.8  # that becomes 255, as in 8-bit exports of such series


@dataclass(frozen=True, kw_only=True)
class Heart:
    """Proportions of one patient: in-plane lengths in mm, angles in radians, brightness relative to fat."""

    center: tuple[float, float]
    septum: float
    radius: float
    wall: float
    stretch: float
    right_reach: float
    right_width: float
    shortening: float
    waves: np.ndarray
    blood: float
    muscle: float
    lung: float
    organ: float
    coil: float
    noise: float


def random_heart(seed: int) -> Heart:
    """Return the patient of a seed; equal seeds give equal patients, whatever grid and phase."""
    rng = np.random.default_rng([seed, 9])
    return Heart(
        center=(rng.uniform(-22, 22), rng.uniform(-22, 22)),
        septum=rng.uniform(0, 2 * np.pi),
        radius=rng.uniform(21, 28),
        wall=rng.uniform(7, 11),
        stretch=rng.uniform(1.0, 1.18),
        right_reach=rng.uniform(28, 38),
        right_width=rng.uniform(32, 40),
        shortening=rng.uniform(0.22, 0.4),
        waves=rng.normal(0, [0.03, 0.02, 0.012], (2, 3)),
        blood=rng.uniform(0.6, 0.85),
        muscle=rng.uniform(0.22, 0.36),
        lung=rng.uniform(0.02, 0.1),
        organ=rng.uniform(0.3, 0.45),
        coil=rng.uniform(0.2, 0.7),
        noise=rng.uniform(0.015, 0.04),
    )


def cardiac_phantom(
    shape: Sequence[int] = DEFAULT_SHAPE, seed: int = 0, phase: float = DIASTOLE
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a short-axis stack of one random patient; equal arguments give equal arrays.

    The most apical slice may be below the right ventricle, or below the heart.

    Args:
        shape: (X, Y, Z).
        seed: of the patient and the noise.
        phase: from ``DIASTOLE`` to ``SYSTOLE``; towards systole the cavities shrink and the wall thickens.

    Returns:
        Image (X, Y, Z) uint8, clipped at its 99.8th percentile, and ground truth (X, Y, Z) uint8: 1 = right ventricle,
        2 = myocardium, 3 = left ventricle with its papillary muscles, which are as dark as the wall.
    """
    heart = random_heart(seed)
    rng = np.random.default_rng([seed, 10, round(1000 * phase)])
    plane = np.meshgrid(*[((np.arange(n) + 0.5) / n - 0.5) * FIELD_OF_VIEW_MM for n in shape[:2]], indexing="ij")
    position_rng = np.random.default_rng([seed, 11])  # separate from the texture, which depends on the grid
    overhang = position_rng.uniform(-0.06, 0.08)  # how far the stack extends beyond the apex
    image = np.empty(tuple(shape), np.float32)
    truth = np.empty(tuple(shape), np.uint8)
    for index in range(shape[2]):
        depth = 0.08 + (0.92 + overhang) * (index + 0.5) / shape[2]
        shift = position_rng.normal(0, 1.0, 2)  # breath-holds differ a little from slice to slice
        points = plane[0] - shift[0], plane[1] - shift[1]
        image[..., index], truth[..., index] = _generate_slice(heart, rng, points=points, depth=depth, phase=phase)
    image /= np.percentile(image, _WHITE_PERCENTILE)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), truth


def _generate_slice(
    heart: Heart, rng: np.random.Generator, *, points: Points, depth: float, phase: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return image (float32, fat about 1) and ground truth of one slice; ``depth`` is 0 at the base, 1 at the apex."""
    x, y = points
    scale = FIELD_OF_VIEW_MM / min(x.shape)
    truth, inner = _draw_truth(heart, points, depth=depth, phase=phase)
    image = _draw_surroundings(heart, rng, points=points, scale=scale)
    blood = heart.blood * (1 + 0.08 * _field(rng, x.shape, 12 / scale))
    for value, part in ((RV, blood), (LV, blood * 1.08), (MYO, np.full_like(blood, heart.muscle))):
        image[truth == value] = part[truth == value]
    muscles = _find_trabeculae(heart, rng, truth=truth, inner=inner, points=points, scale=scale)
    image[muscles] = heart.muscle * 1.2
    image *= 1 + 0.06 * _field(rng, x.shape, 5 / scale)
    image = gaussian_filter(image, 0.9 / scale)
    # The surface coil lies on the chest, beyond the right ventricle: tissue near it is brighter.
    towards = x * np.cos(heart.septum) + y * np.sin(heart.septum)
    image *= np.exp(heart.coil * towards / FIELD_OF_VIEW_MM) * rng.uniform(0.92, 1.08)
    noise = heart.noise * rng.standard_normal((2, *x.shape))
    return np.hypot(image + noise[0], noise[1]).astype(np.float32), truth


def _draw_truth(heart: Heart, points: Points, *, depth: float, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of every pixel, and its relative depth in the left cavity: 0 at the wall, 1 at the center."""
    along, across = _to_heart_axes(heart, points)
    angle = np.arctan2(across * heart.stretch, along)
    wave = 1 + sum(a * np.cos((k + 2) * angle) + b * np.sin((k + 2) * angle) for k, (a, b) in enumerate(heart.waves.T))
    distance = np.hypot(along, across * heart.stretch) / wave
    taper = np.sqrt(max(0.0, 1 - depth**2.4))
    cavity = heart.radius * taper * (1 - heart.shortening * phase)
    outer = (heart.radius * (1 - 0.12 * heart.shortening * phase) + heart.wall) * np.sqrt(max(0.0, 1 - depth**3.2))
    cavity = max(0.0, min(cavity, outer - 0.7 * heart.wall))  # the apex is wall alone
    # The right ventricle is a blunt oval that the left one dents; it ends above the apex.
    right_taper = np.sqrt(max(0.0, 1 - (depth / 0.9) ** 2)) * (1 - 0.75 * heart.shortening * phase)
    reach, width = heart.right_reach * right_taper, heart.right_width * (0.35 + 0.65 * right_taper)
    right = ((along - 0.75 * outer) / max(reach, 1e-3)) ** 2 + (across / width) ** 2 < 1
    truth = np.zeros(along.shape, np.uint8)
    truth[right & (along > 0.3 * outer) & (reach > 2)] = RV
    truth[distance < outer] = MYO
    truth[distance < cavity] = LV
    return truth, np.clip(1 - distance / max(cavity, 1e-3), 0, 1)


def _to_heart_axes(heart: Heart, points: Points) -> Points:
    """Return coordinates about the left ventricle's axis: towards the right ventricle, and across."""
    u, v = points[0] - heart.center[0], points[1] - heart.center[1]
    cos, sin = np.cos(heart.septum), np.sin(heart.septum)
    return u * cos + v * sin, v * cos - u * sin


def _find_trabeculae(
    heart: Heart,
    rng: np.random.Generator,
    *,
    truth: np.ndarray,
    inner: np.ndarray,
    points: Points,
    scale: float,
) -> np.ndarray:
    """Return where the cavities hold muscle: two papillary muscles in the left one, a rough lining in both."""
    along, across = _to_heart_axes(heart, points)
    muscle = np.zeros(truth.shape, bool)
    for side in (-1, 1):
        angle = side * rng.uniform(1.5, 2.3)
        center = 0.6 * heart.radius * np.array([np.cos(angle), np.sin(angle)])
        muscle |= np.hypot(along - center[0], across - center[1]) < rng.uniform(2.0, 4.5)
    rough = _field(rng, truth.shape, 2.0 / scale) > 1.4
    muscle |= rough & (inner < 0.3)
    return muscle & ((truth == LV) | ((truth == RV) & rough))


def _draw_surroundings(heart: Heart, rng: np.random.Generator, *, points: Points, scale: float) -> np.ndarray:
    """Return the chest around the heart: fat, chest wall, lung beyond the free wall, an organ below, bright vessels."""
    x, y = points
    along, across = _to_heart_axes(heart, points)
    image = np.full(x.shape, heart.organ, np.float32)
    image += 0.08 * _field(rng, x.shape, 6 / scale)
    bend = 6 * _field(rng, x.shape, 30 / scale)
    image[(along + bend < 12) & (across + bend > -48) & (across < 95)] = heart.lung
    surface = 92 - (across / 14) ** 2 / 5 + bend  # the skin, beyond the right ventricle
    image[(along > surface - 26) & (along < surface - 10)] = heart.muscle
    image[(along > surface - 12) & (along < surface)] = 1.0
    image[along > surface] = 0.0
    layer = np.hypot(along - 12, across) - (heart.radius + heart.wall + 22)
    image[(np.abs(layer + bend / 2) < 2.5) & (across + bend < 10)] = 0.75  # fat around the pericardium
    for _ in range(rng.integers(3, 7)):
        center = rng.uniform(-110, 60), rng.uniform(-110, 110)
        if np.hypot(*center) > 60:
            image[np.hypot(along - center[0], across - center[1]) < rng.uniform(3, 11)] = heart.blood
    image[np.hypot(x, y * 0.9) > 0.62 * FIELD_OF_VIEW_MM] = 0.0
    return image


def _field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Return a smooth random field of mean 0 and standard deviation 1."""
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    unit: np.ndarray = (field - field.mean()) / max(float(field.std()), 1e-6)
    return unit
