"""Numbers about a mask for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s3net_monai.io import Label


def measures(mask: np.ndarray, affine: np.ndarray, labels: Sequence[Label]) -> dict[str, Any]:
    """Size of every class: a number for a one-class task, else numbers by class name.

    Args:
        mask: (X, Y, Z) label values, measured as ``volume_ml``; or (X, Y), measured as ``area_px``.
        affine: (4, 4) in mm, whose determinant is the volume of a voxel.
        labels: the classes.

    Returns:
        ``volume_ml`` or ``area_px``, and ``fraction`` of the grid.
    """
    counts = {label.name: int((mask == label.value).sum()) for label in labels}
    if mask.ndim == 3:
        voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
        size: dict[str, Any] = {"volume_ml": {name: round(count * voxel_ml, 3) for name, count in counts.items()}}
    else:
        size = {"area_px": counts}
    size["fraction"] = {name: round(count / mask.size, 6) for name, count in counts.items()}
    if len(labels) == 1:
        return {key: values[labels[0].name] for key, values in size.items()}
    return size
