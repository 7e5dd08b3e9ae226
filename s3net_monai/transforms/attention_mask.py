"""Attention masks: which object of an image is meant, as a channel beside it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable


class AttentionMaskd(Randomizable, MapTransform):
    """Add the mask of one class of a label map, (1, X, Y[, Z]) float 0 or 1, and its number.

    With several classes, one of those present is drawn, each with equal chance; where none is, one of all, whose mask
    is then empty. ``ConcatItemsd(["image", "attention"], name="image")`` makes the input of semantic-aware networks
    (arXiv 2106.01596) of it, ``JitterMaskd`` a coarse mask of an exact one.

    Args:
        keys: the label map, (1, X, Y[, Z]): exact labels, or what a coarse segmenter said.
        classes: the classes to choose from, above 0; one alone is always taken.
        attention_key: where the mask goes.
        class_key: where the number of the class goes, an int.

    Raises:
        ValueError: when no class is given, or one below 1.
    """

    def __init__(
        self,
        keys: KeysCollection,
        classes: Sequence[int],
        attention_key: str = "attention",
        class_key: str = "attention_class",
    ) -> None:
        super().__init__(keys)
        self.classes = checked_classes(classes)
        self.attention_key, self.class_key = attention_key, class_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            labels = torch.as_tensor(sample[key])  # a MetaTensor stays one, for ConcatItemsd joins no others to it
            present = [value for value in self.classes if bool((labels == value).any())] or self.classes
            chosen = present[self.R.randint(len(present))]
            sample[self.attention_key] = (labels == chosen).to(torch.float32)
            sample[self.class_key] = chosen
        return sample


def checked_classes(classes: Sequence[int]) -> list[int]:
    """The classes as a list; ValueError when there is none, or one below 1, which is the background."""
    listed = [int(value) for value in classes]
    if not listed or min(listed) < 1:
        raise ValueError(f"classes are {listed}, expected one or several above 0")
    return listed
