"""The largest connected component of every class, looked for where the classes are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import KeepLargestConnectedComponent, MapTransform
from scipy import ndimage


class KeepLargestOfClassesd(MapTransform):
    """Set label values to 0 outside the largest connected component of each class.

    This is MONAI's ``KeepLargestConnectedComponentd`` on the smallest box that holds all classes: an organ takes a
    small part of a scan.

    Args:
        keys: label values (1, X, Y[, Z]) uint8, as ``HighestClassd`` gives them.
        classes: values of the classes.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[[2, 0, 1, 1, 0, 1, 2, 2]]], dtype=torch.uint8)
        >>> KeepLargestOfClassesd("pred", [1, 2])({"pred": labels})["pred"]
        tensor([[[0, 0, 1, 1, 0, 0, 2, 2]]], dtype=torch.uint8)
    """

    def __init__(self, keys: KeysCollection, classes: list[int]) -> None:
        super().__init__(keys)
        self.keep = KeepLargestConnectedComponent(applied_labels=classes, is_onehot=False)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with the largest components."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            labels = sample[key].clone()
            values = labels.as_subclass(torch.Tensor)
            boxes = ndimage.find_objects((np.asarray(values[0].cpu()) > 0).view(np.uint8))
            if boxes:
                box = (slice(None), *boxes[0])
                values[box] = self.keep(values[box].clone())
            sample[key] = labels
        return sample
