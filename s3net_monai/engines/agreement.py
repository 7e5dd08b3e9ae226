"""Agreement of the masks of transformed copies of an image, a label-free quality estimate."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def view_agreement(views: Sequence[torch.Tensor], consensus: torch.Tensor, num_classes: int) -> float | None:
    """Return the mean Dice of the views' masks with the consensus, over foreground classes.

    This is S3-Net's spatial consistency, measured on masks instead of used as a loss.

    Args:
        views: label masks of transformed copies, mapped back, each of the shape of ``consensus``.
        consensus: label mask of the mean probabilities, any shape.
        num_classes: number of classes with background. A class that is in neither mask is ignored.

    Returns:
        0 to 1; 1.0 where no mask has any foreground; None for fewer than two views, which cannot agree.

    Example:
        >>> import torch
        >>> views = [torch.tensor([1, 1, 0, 0]), torch.tensor([1, 0, 0, 0])]
        >>> round(view_agreement(views, consensus=views[0], num_classes=2), 3)
        0.833
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
