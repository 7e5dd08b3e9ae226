"""Separation of one lung mask into the left and the right lung, in ml."""

from __future__ import annotations

import numpy as np

BLOCK_MM = 2.0  # sides are assigned to blocks of about this size, and volumes counted in voxels
EROSION_RADII_MM = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0)
MIN_SMALLER_LUNG_FRACTION = 0.1  # of both lungs together; a smaller component is a fragment, not a lung


def left_right_ml(lung: np.ndarray, affine: np.ndarray, value: int = 1) -> tuple[float, float] | None:
    """Return the volumes of the left and the right lung, whose sum is the volume of the mask.

    The two largest connected components (6 neighbors) are the lungs if they lie side by side in the patient: the line
    between their centers runs more from left to right than along any other axis, and the smaller has at least a tenth
    of their volume. Lungs that touch along the junction lines, or through airways in the mask, are separated by a
    growing erosion, up to necks of 40 mm. Every other voxel belongs to the nearer of the two. Volumes of separate lungs
    are exact; lungs that touch are separated about halfway between the two, to a block of 2 mm.

    Args:
        lung: (X, Y, Z) label values.
        affine: (4, 4) RAS+ in mm, which may be oblique or mirrored.
        value: of the lungs.

    Returns:
        (left, right), or None where the lungs cannot be told apart: one lung, an empty mask, no neck between them.
    """
    from scipy import ndimage

    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(1, np.rint(BLOCK_MM / spacing)).astype(int)
    counts = _counts_in_blocks(lung, steps, value)
    filled = 2 * counts >= steps.prod()
    if filled.all():
        return None
    # Not padded: the edge of the grid is not an edge of the lung.
    depth = ndimage.distance_transform_edt(filled, sampling=steps * spacing)
    for radius in EROSION_RADII_MM:
        components, num_components = ndimage.label(depth > radius)
        pair = _lung_pair(components, num_components, affine[:3, :3] * steps)
        if pair is not None:
            nearest = ndimage.distance_transform_edt(
                ~np.isin(components, pair), sampling=steps * spacing, return_distances=False, return_indices=True
            )
            side = components[tuple(nearest)]
            voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
            left, right = (float(counts[side == component].sum(dtype=np.int64)) * voxel_ml for component in pair)
            return left, right
    return None


def _counts_in_blocks(lung: np.ndarray, steps: np.ndarray, value: int) -> np.ndarray:
    """Return the number of voxels of a class in every block of (x, y, z) ``steps`` voxels, uint16.

    Blocks at the end may be smaller. Only a few slices at a time become a mask of their own.
    """
    columns, rows, slices = (np.arange(0, size, step) for size, step in zip(lung.shape, steps, strict=True))
    counts = np.empty((len(slices), len(rows), len(columns)), dtype=np.uint16)
    for index, first in enumerate(slices):  # slice by slice, as volumes are stored
        inside = value == lung[..., first : first + steps[2]].T
        plane = np.add.reduce(inside, axis=0, dtype=np.uint16)
        counts[index] = np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
    return counts.T


def _lung_pair(components: np.ndarray, num_components: int, steps_mm: np.ndarray) -> tuple[int, int] | None:
    """Return the labels of the left and the right of the two largest components; None if they are not two lungs."""
    from scipy import ndimage

    if num_components < 2:
        return None
    sizes = np.bincount(components.ravel())[1:]
    first, second = (int(index) + 1 for index in np.argsort(-sizes, kind="stable")[:2])
    if sizes[second - 1] < MIN_SMALLER_LUNG_FRACTION * (sizes[first - 1] + sizes[second - 1]):
        return None
    centers = np.array(ndimage.center_of_mass(components > 0, components, [first, second]))
    right, anterior, superior = steps_mm @ (centers[1] - centers[0])
    if abs(right) < max(abs(anterior), abs(superior)):
        return None
    return (first, second) if right > 0 else (second, first)  # RAS+: x grows towards the patient's right
