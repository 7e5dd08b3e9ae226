"""How often labeled and pseudo-labeled samples are drawn."""

from __future__ import annotations

from collections.abc import Sized


def sampling_weights(labeled: Sized, pseudo_labeled: Sized, labeled_fraction: float = 0.25) -> list[float]:
    """Return a weight per sample, labeled ones first, so that a fraction of all draws is labeled.

    Args:
        labeled: the labeled samples, at least one.
        pseudo_labeled: the pseudo-labeled samples; may be empty.
        labeled_fraction: of the draws, 0 to 1.

    Returns:
        Weights for ``torch.utils.data.WeightedRandomSampler``, which sum to ``labeled_fraction`` over the labeled
        samples and to the remainder over the others.

    Example:
        >>> sampling_weights(["a"], ["b", "c", "d"], labeled_fraction=0.25)
        [0.25, 0.25, 0.25, 0.25]
    """
    weights = [labeled_fraction / len(labeled)] * len(labeled)
    return weights + [(1 - labeled_fraction) / len(pseudo_labeled) for _ in range(len(pseudo_labeled))]
