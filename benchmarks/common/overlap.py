"""Overlap of a mask with its ground truth: Dice, IoU and the errors of skin papers."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import compute_dice, compute_iou
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def overlap_metrics(prediction: Mask, truth: Mask) -> dict[str, float | None]:
    """Return "dice", "iou", "hm" and "xor" of binary masks of one shape.

    Dice and IoU are 1 for two empty masks.
    """
    first, second = (torch.as_tensor(mask)[None, None].to(torch.uint8) for mask in (prediction, truth))
    return {
        "dice": float(compute_dice(first, second, ignore_empty=False)),
        "iou": float(compute_iou(first, second, ignore_empty=False)),
        **error_metrics(prediction, truth),
    }


def error_metrics(prediction: Mask, truth: Mask) -> dict[str, float | None]:
    """Return "hm" and "xor" of binary masks A (prediction) and B (truth) of one shape.

    The Hammoude measure HM = (|A or B| - |A and B|) / |A or B| = 1 - IoU (Hammoude, 1988), in [0, 1], and
    XOR = |A xor B| / |B| (Hance et al., 1996), which exceeds 1 when more pixels are wrong than the truth has. Both are
    0 for two empty masks; XOR is None when only the truth is empty.
    """
    wrong, union, positive = (int(np.count_nonzero(part)) for part in (prediction ^ truth, prediction | truth, truth))
    if not union:
        return {"hm": 0.0, "xor": 0.0}
    return {"hm": wrong / union, "xor": wrong / positive if positive else None}
