"""How well the masks of transformed copies of one image agree: the quality estimate that needs no label."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def view_agreement(views: Sequence[torch.Tensor], consensus: torch.Tensor, num_classes: int) -> float | None:
    """Mean Dice of each view's mask with the consensus mask, over foreground classes.

    This is S3-Net's spatial consistency, measured on masks instead of trained on.

    Args:
        views: label masks of transformed copies, mapped back, each of the shape of ``consensus``.
        consensus: label mask of the mean probabilities, any shape.
        num_classes: classes with background. A class that is in neither mask is left out.

    Returns:
        0 to 1; 1.0 where no mask has any foreground; None for fewer than two views, which have nothing to agree on.
    """
    if len(views) < 2:
        return None
    return sum(_foreground_dice(view, consensus, num_classes) for view in views) / len(views)


def _foreground_dice(first: torch.Tensor, second: torch.Tensor, num_classes: int) -> float:
    scores = []
    for label in range(1, num_classes):
        a, b = first == label, second == label
        total = int(a.sum()) + int(b.sum())
        if total:
            scores.append(2.0 * int((a & b).sum()) / total)
    return sum(scores) / len(scores) if scores else 1.0
