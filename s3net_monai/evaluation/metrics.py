"""Overlap and surface metrics of one mask against its truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_iou


def mask_metrics(prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> dict[str, float | None]:
    """Dice, IoU, 95th percentile Hausdorff distance and mean symmetric surface distance of binary masks.

    Both empty: Dice and IoU 1, distances 0. One empty: Dice and IoU 0, distances None, as there is no surface to
    measure to; a mean over cases therefore leaves them out and says how many it holds.

    Args:
        prediction: (X, Y) or (X, Y, Z) bool.
        truth: of the same shape.
        spacing: voxel size along each axis, in mm or in pixels; the distances are in that unit.
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
    """`mask_metrics` of every label value that either mask holds, by value as text; of value 1 where both are empty."""
    values = sorted({int(value) for mask in (prediction, truth) for value in np.unique(mask)} - {0}) or [1]
    return {str(value): mask_metrics(prediction == value, truth == value, spacing) for value in values}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
