"""Overlap and surface metrics of a mask against ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_iou


def mask_metrics(prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> dict[str, float | None]:
    """Compute Dice, IoU, 95th percentile Hausdorff distance and mean symmetric surface distance.

    If both masks are empty, Dice and IoU are 1 and distances 0. If one is empty, Dice and IoU are 0 and distances None,
    as there is no surface to measure to; a mean over cases therefore omits them and states how many it includes.

    Args:
        prediction: (X, Y) or (X, Y, Z) bool.
        truth: ground truth of the same shape.
        spacing: voxel size along each axis, in mm or in pixels; the distances have the same unit.
    """
    first, second = (torch.as_tensor(mask)[None, None].to(torch.uint8) for mask in (prediction, truth))
    metrics: dict[str, float | None] = {
        "dice": float(compute_dice(first, second, ignore_empty=False)),
        "iou": float(compute_iou(first, second, ignore_empty=False)),
    }
    if not prediction.any() or not truth.any():
        both_empty = not prediction.any() and not truth.any()
        return {**metrics, "hd95": 0.0 if both_empty else None, "surface_distance": 0.0 if both_empty else None}
    steps = [float(step) for step in spacing]
    hausdorff = float(compute_hausdorff_distance(first, second, include_background=True, percentile=95, spacing=steps))
    surface = float(compute_average_surface_distance(first, second, True, symmetric=True, spacing=steps))
    return {**metrics, "hd95": _finite(hausdorff), "surface_distance": _finite(surface)}


def label_metrics(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]
) -> dict[str, dict[str, float | None]]:
    """Compute ``mask_metrics`` for every label value in either mask, or for value 1 if both are empty.

    Args:
        prediction: (X, Y) or (X, Y, Z) label values.
        truth: ground truth of the same shape.
        spacing: voxel size along each axis, in mm or in pixels.

    Returns:
        The metrics by label value, as a string.
    """
    values = sorted({int(value) for mask in (prediction, truth) for value in np.unique(mask)} - {0}) or [1]
    return {str(value): mask_metrics(prediction == value, truth == value, spacing) for value in values}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
