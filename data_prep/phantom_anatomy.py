"""Anatomy of the synthetic chest: random proportions, and which tissue lies at a point.

Coordinates are left-posterior-superior in mm; the origin is the middle of the chest. Surfaces are implicit functions
that are about the distance in mm, negative inside, so that a thickness can be read off them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOFT_TISSUE_HU = 45.0
FAT_HU = -105.0
AIR_HU = -1000.0


@dataclass(frozen=True)
class Anatomy:
    """One patient: lengths in mm, radiodensities in HU, waves as (count, 3) wave vectors in 1/mm with phases."""

    cavity_width: float
    cavity_depth: float
    apex_height: float
    wall: float
    fat: float
    mediastinum: float
    heart_center: tuple[float, float, float]
    heart_radii: tuple[float, float, float]
    right_dome: float
    left_dome: float
    dome_drop: float
    spine_y: float
    rib_phase: float
    rib_pitch: float
    blood_hu: float
    lung_hu: float
    gravity_hu: float
    noise_hu: float
    stomach_gas: float
    table_gap: float
    waves: np.ndarray
    phases: np.ndarray


def random_anatomy(seed: int) -> Anatomy:
    """The patient of a seed; equal seeds give equal patients, whatever the grid."""
    rng = np.random.default_rng([seed, 1])
    return Anatomy(
        cavity_width=rng.uniform(116, 130),
        cavity_depth=rng.uniform(74, 88),
        apex_height=rng.uniform(102, 122),
        wall=rng.uniform(20, 26),
        fat=rng.uniform(5, 13),
        mediastinum=rng.uniform(24, 31),
        heart_center=(rng.uniform(20, 30), rng.uniform(-32, -22), rng.uniform(-62, -48)),
        heart_radii=(rng.uniform(50, 60), rng.uniform(40, 47), rng.uniform(50, 60)),
        right_dome=rng.uniform(-68, -52),
        left_dome=rng.uniform(-82, -66),
        dome_drop=rng.uniform(48, 62),
        spine_y=rng.uniform(46, 52),
        rib_phase=rng.uniform(0, 1),
        rib_pitch=rng.uniform(23, 27),
        blood_hu=float(rng.choice([48.0, 150.0, 230.0])),
        lung_hu=rng.uniform(-880, -830),
        gravity_hu=rng.uniform(20, 70),
        noise_hu=rng.uniform(10, 24),
        stomach_gas=rng.uniform(8, 20),
        table_gap=rng.uniform(0, 4),
        waves=rng.normal(0, 0.05, (6, 3)),
        phases=rng.uniform(0, 2 * np.pi, 6),
    )


def ellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, center: tuple[float, ...], radii: tuple[float, ...]
) -> np.ndarray:
    """Signed distance, roughly in mm, to an ellipsoid; an infinite radius makes a cylinder."""
    squares = [((c - m) / r) ** 2 for c, m, r in zip((x, y, z), center, radii, strict=True)]
    return (np.sqrt(squares[0] + squares[1] + squares[2]) - 1) * min(radii)


def wobble(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Sum of long waves, about -2 to 2: what keeps any two surfaces from being alike."""
    total: np.ndarray = sum(
        np.cos(w[0] * x + w[1] * y + w[2] * z + phase)
        for w, phase in zip(anatomy.waves.astype(np.float32), anatomy.phases.astype(np.float32), strict=True)
    )
    return total * np.float32(0.6)


def cavity(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance to the chest wall's inner surface: a rounded D that closes towards the two apices."""
    rise = np.maximum(z + 10, 0) / (anatomy.apex_height + 10)
    flank = np.maximum(np.abs(x) - 24, 0) / (anatomy.cavity_width - 24)
    middle = 6 + 14 * rise**2
    depth = np.abs(y - middle) / anatomy.cavity_depth
    return ((flank**2.2 + depth**2.2 + rise**2.6) ** (1 / 2.2) - 1) * anatomy.cavity_depth


def diaphragm(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance below the two domes, positive in the abdomen; the right dome, over the liver, stands higher."""
    dome = np.where(x > 0, anatomy.left_dome, anatomy.right_dome).astype(np.float32)
    drop = ((np.abs(x) - 48) / 72) ** 2 + ((y + 12) / 82) ** 2
    return (dome - anatomy.dome_drop * drop - z) / 1.5


def lungs(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Distance to the pleural surface, negative inside a lung; `wall` is `cavity` at the same points.

    A lung is what the chest cavity leaves beside mediastinum, heart and spine and above the diaphragm. The parts are
    joined by a smooth maximum of 3 mm, so that the edges are rounded as the pleura is.
    """
    top = np.maximum(z - 55, 0) / 60
    mediastinum = 5 + (anatomy.mediastinum - 5) / (1 + np.exp(-(y + 44) / 9)) + 6 * top - np.abs(x - 3)
    parts = (
        wall,
        mediastinum,
        -ellipsoid(x, y, z, anatomy.heart_center, anatomy.heart_radii),
        -ellipsoid(x, y, z, (0.0, anatomy.spine_y, 0.0), (29.0, 25.0, np.inf)),
        diaphragm(anatomy, x, y, z),
    )
    smooth = np.float32(3.0)
    total = np.exp(np.minimum(parts[0] / smooth, 20))
    for part in parts[1:]:
        total = total + np.exp(np.minimum(part / smooth, 20))
    return smooth * np.log(total) + wobble(anatomy, x, y, z)


def body(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance to the skin: a superellipse around the cavity, a little narrower towards the neck."""
    narrowing = 1 - 0.10 * (np.maximum(z - 40, 0) / 110) ** 2
    width = (anatomy.cavity_width + anatomy.wall + anatomy.fat) * narrowing
    depth = (anatomy.cavity_depth + anatomy.wall) * narrowing
    return ((np.abs(x / width) ** 2.4 + np.abs((y - 8) / depth) ** 2.4) ** (1 / 2.4) - 1) * depth
