"""Left and right lung of one lung mask, in ml."""

from __future__ import annotations

import numpy as np

BLOCK_MM = 2.0  # sides are found on blocks of about this size and then counted in voxels
NECKS_MM = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0)  # radii
MIN_SMALLER_LUNG_FRACTION = (
    0.1  # of both lungs together: below it, the smaller part is taken for a piece and not for a lung
)


def left_right_ml(lung: np.ndarray, affine: np.ndarray) -> tuple[float, float] | None:
    """Volumes of the left and the right lung, whose sum is the volume of the mask.

    The two largest connected parts (6 neighbors) are the lungs where they lie side by side in the patient: the line
    between their centers runs more from left to right than along any other axis, and the smaller holds a tenth of both
    or more. Lungs that touch along the junction lines, or through airways in the mask, are parted by a growing erosion,
    up to necks of 40 mm. Every other voxel belongs to the nearest of the two. What lies apart is exact, what touches is
    parted to a block of 2 mm about halfway between the two.

    Args:
        lung: (X, Y, Z) bool.
        affine: (4, 4) RAS+ in mm, which may be oblique or mirrored.

    Returns:
        (left, right), or None where the lungs cannot be told apart: one lung, an empty mask, no neck between them.
    """
    from scipy import ndimage
    from skimage.measure import block_reduce

    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(1, np.rint(BLOCK_MM / spacing)).astype(int)
    counts = block_reduce(lung, tuple(steps), np.sum, func_kwargs={"dtype": np.uint16})
    filled = 2 * counts >= steps.prod()
    if filled.all():
        return None
    # The border of the grid is no border of the lung, so nothing is laid around it.
    depth = ndimage.distance_transform_edt(filled, sampling=steps * spacing)
    for neck in NECKS_MM:
        parts, number = ndimage.label(depth > neck)
        pair = _side_by_side(parts, number, affine[:3, :3] * steps)
        if pair is not None:
            nearest = ndimage.distance_transform_edt(
                ~np.isin(parts, pair), sampling=steps * spacing, return_distances=False, return_indices=True
            )
            side = parts[tuple(nearest)]
            voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
            left, right = (float(counts[side == part].sum(dtype=np.int64)) * voxel_ml for part in pair)
            return left, right
    return None


def _side_by_side(parts: np.ndarray, number: int, steps_mm: np.ndarray) -> tuple[int, int] | None:
    """Labels of the left and the right of the two largest parts, or None where they are no pair of lungs."""
    from scipy import ndimage

    if number < 2:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    first, second = (int(part) + 1 for part in np.argsort(-sizes, kind="stable")[:2])
    if sizes[second - 1] < MIN_SMALLER_LUNG_FRACTION * (sizes[first - 1] + sizes[second - 1]):
        return None
    centers = np.array(ndimage.center_of_mass(parts > 0, parts, [first, second]))
    right, anterior, superior = steps_mm @ (centers[1] - centers[0])
    if abs(right) < max(abs(anterior), abs(superior)):
        return None
    return (first, second) if right > 0 else (second, first)  # RAS+: x grows towards the patient's right
