"""Radiodensity of the synthetic chest at points, from its anatomy: soft tissue, bone, lung and the table."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from data_prep.phantom_anatomy import (
    AIR_HU,
    FAT_HU,
    SOFT_TISSUE_HU,
    Anatomy,
    Points,
    body,
    cavity,
    diaphragm,
    ellipsoid,
    lungs,
    wobble,
)


def tissue(anatomy: Anatomy, texture: np.ndarray, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Return radiodensity and lung ground truth at points.

    Airways and vessels are not drawn here: they are trees of tubes, see ``phantom_trees``.

    Args:
        anatomy: of the patient.
        texture: a cube of standard normal numbers, 8 mm apart and repeated, for the mottle of the parenchyma.
        points: left-posterior-superior in mm.

    Returns:
        Radiodensity in HU (float32), and where lung is (bool).
    """
    x, y, z = points
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    hu = np.full(shape, AIR_HU, np.float32)
    skin = body(anatomy, points)
    _paint_table(anatomy, hu, points)
    inside = np.broadcast_to(skin < 0, shape)
    hu[inside] = FAT_HU
    wall = cavity(anatomy, points)
    ripple = wobble(anatomy, points)
    muscle = (skin < -anatomy.fat + 2 * ripple) & (skin < -3)
    hu[np.broadcast_to(muscle, shape)] = SOFT_TISSUE_HU + 8
    hu[np.broadcast_to(inside & (skin > -1.8), shape)] = 10.0
    _paint_trunk(anatomy, hu, points=points, wall=wall, ripple=ripple)
    _paint_bones(anatomy, hu, points=points, wall=wall)
    truth = np.broadcast_to(lungs(anatomy, points, wall) < 0, shape)
    within = [np.broadcast_to(c, shape)[truth] for c in points]
    mottle = map_coordinates(texture, np.stack(within) / 8, order=1, mode="grid-wrap")
    hu[truth] = anatomy.lung_hu + 22 * mottle + anatomy.gravity_hu * within[1] / 80
    return hu, truth


def _paint_trunk(anatomy: Anatomy, hu: np.ndarray, *, points: Points, wall: np.ndarray, ripple: np.ndarray) -> None:
    """Paint the contents of the trunk except the lungs: mediastinum, heart, aorta, liver, stomach."""
    x, y, z = points

    def paint(where: np.ndarray, value: float) -> None:
        hu[np.broadcast_to(where, hu.shape)] = value

    trunk = wall < 0
    paint(trunk, SOFT_TISSUE_HU)
    paint(trunk & (ripple > 0.9), FAT_HU + 15)
    below = diaphragm(anatomy, points)
    paint(trunk & (below > 0), SOFT_TISSUE_HU - 5)
    paint(trunk & (below > 6) & (ripple > 0.3) & (x > 0), FAT_HU)
    paint(trunk & (below > 2) & (x < 25 - 0.3 * y), 62.0)
    stomach = (58.0, -5.0, anatomy.left_dome - 38)
    paint(ellipsoid(points, stomach, (34.0, 40.0, 26.0)) < 0, 28.0)
    gas = (stomach[0], stomach[1] - 22, stomach[2] + 4)
    paint(ellipsoid(points, gas, (anatomy.stomach_gas, 12.0, 10.0)) < 0, AIR_HU + 20)
    heart = ellipsoid(points, anatomy.heart_center, anatomy.heart_radii)
    paint(heart < -2, SOFT_TISSUE_HU)
    chambers = tuple(0.62 * r for r in anatomy.heart_radii)
    paint(ellipsoid(points, anatomy.heart_center, chambers) < 0, anatomy.blood_hu)
    aorta_y = anatomy.spine_y - 20
    paint((ellipsoid(points, (18.0, aorta_y, 0.0), (12.0, 12.0, np.inf)) < 0) & (z < 45), anatomy.blood_hu)
    arch = np.hypot(np.hypot(x - 9, y - aorta_y + 22) - 22, z - 45)
    paint((arch < 12) & (x > 0), anatomy.blood_hu)
    rising = ellipsoid(points, (-8.0, aorta_y - 40, 0.0), (14.0, 14.0, np.inf))
    paint((rising < 0) & (z < 45) & (z > anatomy.heart_center[2]), anatomy.blood_hu)


def _paint_bones(anatomy: Anatomy, hu: np.ndarray, *, points: Points, wall: np.ndarray) -> None:
    """Paint ribs sloping down to the front, sternum, shoulder blades and spine; cortex brighter than marrow."""
    x, y, z = points

    def paint(distance: np.ndarray, cortex: float, marrow: float) -> None:
        hu[np.broadcast_to(distance < 0, hu.shape)] = cortex
        hu[np.broadcast_to(distance < -2, hu.shape)] = marrow

    rib_index = (z - 0.45 * y) / anatomy.rib_pitch + anatomy.rib_phase
    along = (rib_index - np.floor(rib_index) - 0.5) * anatomy.rib_pitch
    rib = np.sqrt((along / 6) ** 2 + ((wall - 7) / 4.2) ** 2)
    # Towards the sternum a rib is cartilage, which is hardly brighter than muscle.
    front = np.broadcast_to((np.abs(x) < 45) & (y < 0), hu.shape)
    bony = np.broadcast_to(rib < 1, hu.shape)
    hu[bony] = np.broadcast_to(200 + 380 * rib**2, hu.shape)[bony]
    hu[bony & front] = 95.0
    breast_bone = 6 - anatomy.cavity_depth - 8
    paint(ellipsoid(points, (0.0, breast_bone, 30.0), (18.0, 5.5, 85.0)), 380.0, 140.0)
    blade_y = anatomy.cavity_depth + 4.0 - 0.42 * (np.abs(x) - 78)
    blade = ellipsoid((np.abs(x), y - blade_y, z), (82.0, 0.0, 62.0), (38.0, 4.0, 62.0))
    paint(blade, 420.0, 190.0)
    vertebra_index = z / 27 + anatomy.rib_phase
    disc = np.abs(vertebra_index - np.floor(vertebra_index) - 0.5) > 0.4
    vertebra = ellipsoid(points, (0.0, anatomy.spine_y, 0.0), (18.0, 15.0, np.inf))
    process = ellipsoid(points, (0.0, anatomy.spine_y + 34, 0.0), (5.0, 18.0, np.inf))
    lamina = ellipsoid(points, (0.0, anatomy.spine_y + 23, 0.0), (24.0, 7.0, np.inf))
    paint(np.minimum(process, lamina), 430.0, 220.0)
    paint(vertebra, 420.0, 190.0)
    hu[np.broadcast_to((vertebra < 0) & disc, hu.shape)] = 85.0
    hu[np.broadcast_to(ellipsoid(points, (0.0, anatomy.spine_y + 21, 0.0), (9.0, 7.0, np.inf)) < 0, hu.shape)] = 30.0


def _paint_table(anatomy: Anatomy, hu: np.ndarray, points: Points) -> None:
    """Paint a curved carbon shell filled with foam, which touches or nearly touches the patient's back."""
    x, y, _ = points
    top = 8 + anatomy.cavity_depth + anatomy.wall + anatomy.table_gap - (x / 62) ** 2
    depth = y - top
    shell = ((depth > 0) & (depth < 3)) | ((depth > 24) & (depth < 27))
    hu[np.broadcast_to((np.abs(x) < 165) & (depth > 0) & (depth < 27), hu.shape)] = -940.0
    hu[np.broadcast_to((np.abs(x) < 165) & shell, hu.shape)] = -250.0
