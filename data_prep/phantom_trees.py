"""Branching tubes of the synthetic lungs, airways and vessels, and the voxels that a tube covers."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from data_prep.phantom_grid import voxel_coordinates
from s3net_monai.utils.geometry import LPS_TO_RAS


class Tube(NamedTuple):
    """A straight tube: two ends in left-posterior-superior mm, and the radius in mm."""

    start: np.ndarray
    end: np.ndarray
    radius: float


def main_airways(seed: int) -> list[Tube]:
    """Return trachea and both main bronchi, with the radius of the lumen; the left bronchus is longer and flatter."""
    rng = np.random.default_rng([seed, 2])
    carina = np.array([rng.uniform(-3, 3), rng.uniform(8, 14), rng.uniform(18, 32)])
    top = np.array([rng.uniform(-3, 3), rng.uniform(0, 6), 170.0])
    right = carina + np.array([-34.0, 6.0, -22.0])
    left = carina + np.array([42.0, 8.0, -22.0])
    return [
        Tube(top, carina, rng.uniform(8, 10)),
        Tube(carina, right, rng.uniform(5.5, 6.8)),
        Tube(carina, left, rng.uniform(5.0, 6.0)),
    ]


def grow_tree(rng: np.random.Generator, root: Tube, generations: int) -> list[Tube]:
    """Return a tree below ``root``, without it: two children per end, thinner and shorter with every generation."""
    tubes: list[Tube] = []
    level = [root]
    length = 30.0
    for _ in range(generations):
        children = []
        for parent in level:
            heading = parent.end - parent.start
            heading = heading / np.linalg.norm(heading)
            side = np.cross(heading, rng.standard_normal(3))
            side = side / np.linalg.norm(side)
            for sign in (-1, 1):
                direction = heading + sign * side * rng.uniform(0.35, 0.85)
                step = direction / np.linalg.norm(direction) * length * rng.uniform(0.75, 1.25)
                children.append(Tube(parent.end, parent.end + step, parent.radius * rng.uniform(0.68, 0.82)))
        tubes += children
        level = children
        length *= 0.84
    return tubes


def lung_trees(seed: int, airways: list[Tube]) -> tuple[list[Tube], list[Tube]]:
    """Return the small airways below the main bronchi, and the vessels: four trees per lung."""
    rng = np.random.default_rng([seed, 3])
    bronchi: list[Tube] = []
    vessels: list[Tube] = []
    for main in airways[1:]:
        bronchi += grow_tree(rng, main._replace(radius=main.radius * 0.7), 4)
        side = np.sign(main.end[0] - main.start[0])
        hilum = main.end * [0.8, 1, 1]
        for heading in ([0.5, -0.1, 1.0], [1.0, -0.6, 0.2], [0.7, 0.5, -1.0], [0.9, 0.6, 0.5]):
            course = np.array(heading) * [side, 1, 1] * rng.uniform(14, 22)
            vessels += grow_tree(rng, Tube(hilum, hilum + course, rng.uniform(5, 6.5)), 7)
    return bronchi, vessels


def bounding_box(tube: Tube, affine: np.ndarray, shape: tuple[int, ...], *, margin: float) -> tuple[slice, ...] | None:
    """Return the index box of the voxels within ``margin`` mm of the tube, or None where it misses the grid."""
    low = np.minimum(tube.start, tube.end) - margin
    high = np.maximum(tube.start, tube.end) + margin
    corners = np.array([[*corner, 1.0] for corner in product(*zip(low, high, strict=True))])
    indices = corners @ np.linalg.inv(LPS_TO_RAS @ affine)[:3].T
    start = np.maximum(np.floor(indices.min(0)).astype(int), 0)
    stop = np.minimum(np.ceil(indices.max(0)).astype(int) + 1, shape)
    if np.any(start >= stop):
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))


def distance_to(tube: Tube, affine: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
    """Return the distance in mm (float32) of every voxel center of the box to the tube's axis."""
    points = voxel_coordinates(affine, [s.start for s in box], [s.stop for s in box])
    axis = (tube.end - tube.start).astype(np.float32)
    relative = [p - np.float32(s) for p, s in zip(points, tube.start, strict=True)]
    along: np.ndarray = sum(r * a for r, a in zip(relative, axis, strict=True))
    along = np.clip(along / np.float32(axis @ axis), 0, 1)
    squares: np.ndarray = sum((r - along * a) ** 2 for r, a in zip(relative, axis, strict=True))
    return np.sqrt(squares)
