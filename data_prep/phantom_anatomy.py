"""Anatomy of the synthetic chest: random proportions, and the surfaces of its parts.

Coordinates are left-posterior-superior in mm; the origin is the middle of the chest. Surfaces are implicit functions
that approximate the distance in mm, negative inside, so that differences between them are thicknesses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOFT_TISSUE_HU = 45.0
FAT_HU = -105.0
AIR_HU = -1000.0

Points = tuple[np.ndarray, np.ndarray, np.ndarray]  # x, y, z, which broadcast against each other


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Proportions of one patient: lengths in mm, radiodensities in HU, waves as (count, 3) wave vectors in 1/mm."""

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
    """Return the patient of a seed; equal seeds give equal patients, whatever the grid."""
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


def ellipsoid(points: Points, center: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """Return the approximate signed distance in mm to an ellipsoid; an infinite radius gives a cylinder."""
    squares = [((c - m) / r) ** 2 for c, m, r in zip(points, center, radii, strict=True)]
    return (np.sqrt(squares[0] + squares[1] + squares[2]) - 1) * min(radii)


def wobble(anatomy: Anatomy, points: Points) -> np.ndarray:
    """Return a sum of long waves, about -2 to 2, that gives every surface irregularities of its own."""
    x, y, z = points
    total: np.ndarray = sum(
        np.cos(w[0] * x + w[1] * y + w[2] * z + phase)
        for w, phase in zip(anatomy.waves.astype(np.float32), anatomy.phases.astype(np.float32), strict=True)
    )
    return total * np.float32(0.6)


def cavity(anatomy: Anatomy, points: Points) -> np.ndarray:
    """Return the distance to the chest wall's inner surface: a rounded D that closes towards the two apices."""
    x, y, z = points
    rise = np.maximum(z + 10, 0) / (anatomy.apex_height + 10)
    flank = np.maximum(np.abs(x) - 24, 0) / (anatomy.cavity_width - 24)
    middle = 6 + 14 * rise**2
    depth = np.abs(y - middle) / anatomy.cavity_depth
    return ((flank**2.2 + depth**2.2 + rise**2.6) ** (1 / 2.2) - 1) * anatomy.cavity_depth


def diaphragm(anatomy: Anatomy, points: Points) -> np.ndarray:
    """Return the distance below the two domes, positive in the abdomen; the right one, over the liver, is higher."""
    x, y, z = points
    dome = np.where(x > 0, anatomy.left_dome, anatomy.right_dome).astype(np.float32)
    drop = ((np.abs(x) - 48) / 72) ** 2 + ((y + 12) / 82) ** 2
    return (dome - anatomy.dome_drop * drop - z) / 1.5


def lungs(anatomy: Anatomy, points: Points, wall: np.ndarray) -> np.ndarray:
    """Return the distance to the pleural surface, negative inside a lung.

    A lung is the chest cavity without mediastinum, heart and spine, above the diaphragm. The parts are joined by a
    smooth maximum of 3 mm, so that edges are rounded as the pleura is.

    Args:
        anatomy: of the patient.
        points: in mm.
        wall: ``cavity`` at the same points.
    """
    x, y, z = points
    top = np.maximum(z - 55, 0) / 60
    mediastinum = 5 + (anatomy.mediastinum - 5) / (1 + np.exp(-(y + 44) / 9)) + 6 * top - np.abs(x - 3)
    parts = (
        wall,
        mediastinum,
        -ellipsoid(points, anatomy.heart_center, anatomy.heart_radii),
        -ellipsoid(points, (0.0, anatomy.spine_y, 0.0), (29.0, 25.0, np.inf)),
        diaphragm(anatomy, points),
    )
    smooth = np.float32(3.0)
    total = np.exp(np.minimum(parts[0] / smooth, 20))
    for part in parts[1:]:
        total = total + np.exp(np.minimum(part / smooth, 20))
    return smooth * np.log(total) + wobble(anatomy, points)


def body(anatomy: Anatomy, points: Points) -> np.ndarray:
    """Return the distance to the skin: a superellipse around the cavity, a little narrower towards the neck."""
    x, y, z = points
    narrowing = 1 - 0.10 * (np.maximum(z - 40, 0) / 110) ** 2
    width = (anatomy.cavity_width + anatomy.wall + anatomy.fat) * narrowing
    depth = (anatomy.cavity_depth + anatomy.wall) * narrowing
    return ((np.abs(x / width) ** 2.4 + np.abs((y - 8) / depth) ** 2.4) ** (1 / 2.4) - 1) * depth
