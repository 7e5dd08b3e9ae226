"""Warnings about a mask that hardly any structure has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3net_monai.tasks import Task

NEARLY_ALL = 0.9  # fraction of an image
SEVERAL_EDGES = 3  # a lesion in a corner of its image touches two
MIN_TOUCH = 0.02  # fraction of an edge


def mask_warnings(mask: np.ndarray, task: Task, content: Sequence[slice] = ()) -> list[str]:
    """Return warnings about the extent of a mask, one line each.

    Args:
        mask: (X, Y[, Z]) label values.
        task: 2-D tasks show a structure with its surroundings, so that its mask touches few edges.
        content: the part of a 2-D image inside a uniform frame, if any.
    """
    if not mask.any():
        return ["the mask is empty"]
    inside = (mask[tuple(content)] if content and mask.ndim == 2 else mask) != 0
    if inside.mean() > NEARLY_ALL:
        return [f"the mask covers {inside.mean():.0%} of the image: review it"]
    if task.dimensions != 2:
        return []
    edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    touched = sum(bool(edge.mean() > MIN_TOUCH) for edge in edges)
    return [f"the mask touches {touched} edges of the image: review it"] if touched >= SEVERAL_EDGES else []
