"""Synthetic short-axis cine MR with exact truth: both ventricles and the wall between, at end-diastole and -systole.

Lengths are in mm of a field of view of `FIELD_OF_VIEW_MM`, spread over whatever grid is asked for. Slices run from the
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
_BRIGHTEST = 99.8  # percentile that becomes 255, as in 8-bit exports of such series


@dataclass(frozen=True)
class Heart:
    """One patient: lengths in mm in the plane, angles in radians, brightness as a share of fat's."""

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
    """The patient of a seed; equal seeds give equal patients, whatever grid and phase."""
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
    """A short-axis stack of one random patient.

    `phase` is from `DIASTOLE` to `SYSTOLE`: towards systole the cavities shrink and the wall thickens. Returns `(image,
    truth)`, (X, Y, Z) uint8: image clipped at its 99.8th percentile, truth 1 = right ventricle, 2 = myocardium, 3 =
    left ventricle with its papillary muscles, which are dark as the wall is. The most apical slice may lie below the
    right ventricle, or below the heart. Equal arguments give equal arrays.
    """
    heart = random_heart(seed)
    rng = np.random.default_rng([seed, 10, round(1000 * phase)])
    plane = np.meshgrid(*[((np.arange(n) + 0.5) / n - 0.5) * FIELD_OF_VIEW_MM for n in shape[:2]], indexing="ij")
    placing = np.random.default_rng([seed, 11])  # drawn apart from the texture, which depends on the grid
    overhang = placing.uniform(-0.06, 0.08)  # how far the stack passes the apex
    image = np.empty(tuple(shape), np.float32)
    truth = np.empty(tuple(shape), np.uint8)
    for index in range(shape[2]):
        depth = 0.08 + (0.92 + overhang) * (index + 0.5) / shape[2]
        shift = placing.normal(0, 1.0, 2)  # breath-holds differ a little from slice to slice
        image[..., index], truth[..., index] = _slice(
            heart, rng, plane[0] - shift[0], plane[1] - shift[1], depth, phase
        )
    image /= np.percentile(image, _BRIGHTEST)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), truth


def _slice(
    heart: Heart, rng: np.random.Generator, x: np.ndarray, y: np.ndarray, depth: float, phase: float
) -> tuple[np.ndarray, np.ndarray]:
    """Image (float32, fat about 1) and truth of one slice at a `depth` from 0, the base, to 1, the apex."""
    scale = FIELD_OF_VIEW_MM / min(x.shape)
    truth, inner = _truth(heart, x, y, depth, phase)
    picture = _surroundings(heart, rng, x, y, scale)
    blood = heart.blood * (1 + 0.08 * _field(rng, x.shape, 12 / scale))
    for value, part in ((RV, blood), (LV, blood * 1.08), (MYO, np.full_like(blood, heart.muscle))):
        picture[truth == value] = part[truth == value]
    picture[_trabeculae(heart, rng, truth, inner, x, y, scale)] = heart.muscle * 1.2
    picture *= 1 + 0.06 * _field(rng, x.shape, 5 / scale)
    picture = gaussian_filter(picture, 0.9 / scale)
    # The surface coil lies on the chest, beyond the right ventricle: what is near it is brighter.
    towards = x * np.cos(heart.septum) + y * np.sin(heart.septum)
    picture *= np.exp(heart.coil * towards / FIELD_OF_VIEW_MM) * rng.uniform(0.92, 1.08)
    noise = heart.noise * rng.standard_normal((2, *x.shape))
    return np.hypot(picture + noise[0], noise[1]).astype(np.float32), truth


def _truth(heart: Heart, x: np.ndarray, y: np.ndarray, depth: float, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """The label of every pixel, and how deep in the left cavity it lies: 0 at its wall, 1 at its center."""
    along, across = _turned(heart, x, y)
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
    truth = np.zeros(x.shape, np.uint8)
    truth[right & (along > 0.3 * outer) & (reach > 2)] = RV
    truth[distance < outer] = MYO
    truth[distance < cavity] = LV
    return truth, np.clip(1 - distance / max(cavity, 1e-3), 0, 1)


def _turned(heart: Heart, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates about the left ventricle's axis: towards the right ventricle, and across."""
    u, v = x - heart.center[0], y - heart.center[1]
    cos, sin = np.cos(heart.septum), np.sin(heart.septum)
    return u * cos + v * sin, v * cos - u * sin


def _trabeculae(
    heart: Heart,
    rng: np.random.Generator,
    truth: np.ndarray,
    inner: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: float,
) -> np.ndarray:
    """Where blood is muscle after all: two papillary muscles in the left cavity, a rough lining in both."""
    along, across = _turned(heart, x, y)
    found = np.zeros(truth.shape, bool)
    for side in (-1, 1):
        turn = side * rng.uniform(1.5, 2.3)
        place = 0.6 * heart.radius * np.array([np.cos(turn), np.sin(turn)])
        found |= np.hypot(along - place[0], across - place[1]) < rng.uniform(2.0, 4.5)
    rough = _field(rng, truth.shape, 2.0 / scale) > 1.4
    found |= rough & (inner < 0.3)
    return found & ((truth == LV) | ((truth == RV) & rough))


def _surroundings(heart: Heart, rng: np.random.Generator, x: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    """The chest around the heart: fat, chest wall, lung beyond the free wall, an organ below, bright vessels."""
    along, across = _turned(heart, x, y)
    picture = np.full(x.shape, heart.organ, np.float32)
    picture += 0.08 * _field(rng, x.shape, 6 / scale)
    bend = 6 * _field(rng, x.shape, 30 / scale)
    picture[(along + bend < 12) & (across + bend > -48) & (across < 95)] = heart.lung
    surface = 92 - (across / 14) ** 2 / 5 + bend  # the skin, beyond the right ventricle
    picture[(along > surface - 26) & (along < surface - 10)] = heart.muscle
    picture[(along > surface - 12) & (along < surface)] = 1.0
    picture[along > surface] = 0.0
    layer = np.hypot(along - 12, across) - (heart.radius + heart.wall + 22)
    picture[(np.abs(layer + bend / 2) < 2.5) & (across + bend < 10)] = 0.75  # fat around the pericardium
    for _ in range(rng.integers(3, 7)):
        place = rng.uniform(-110, 60), rng.uniform(-110, 110)
        if np.hypot(*place) > 60:
            picture[np.hypot(along - place[0], across - place[1]) < rng.uniform(3, 11)] = heart.blood
    picture[np.hypot(x, y * 0.9) > 0.62 * FIELD_OF_VIEW_MM] = 0.0
    return picture


def _field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Smooth random field of mean 0 and standard deviation 1."""
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    unit: np.ndarray = (field - field.mean()) / max(float(field.std()), 1e-6)
    return unit
