"""Dictionary transforms that add weak labels, the votes of labeling functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from s3net_monai.transforms.lung_labeling import lung_weak_label
from s3net_monai.transforms.skin_labeling import center_weight, skin_weak_label


def center_weak_label(image: np.ndarray) -> np.ndarray:
    """Return ``center_weight`` for an image (C, X, Y), whatever its intensities."""
    return center_weight(image.shape[1:])


class WeakLabeld(MapTransform):
    """Add the weak label of an image, (1, X, Y[, Z]) in [0, 1], under ``weak_label_key``.

    Args:
        keys: the image, (C, X, Y[, Z]).
        labeling: gives the weak label (X, Y[, Z]) of an image (C, X, Y[, Z]), both numpy arrays.
        weak_label_key: where the weak label is stored.

    Example:
        >>> import torch
        >>> sample = WeakLabeld("image", lambda image: image[0] > 0.5)({"image": torch.tensor([[[0.2, 0.9]]])})
        >>> sample["weak_label"].tolist()
        [[[0.0, 1.0]]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        labeling: Callable[[np.ndarray], np.ndarray],
        weak_label_key: str = "weak_label",
    ) -> None:
        super().__init__(keys)
        self.labeling = labeling
        self.weak_label_key = weak_label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with its weak label."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = np.asarray(torch.as_tensor(sample[key]).cpu())
            sample[self.weak_label_key] = convert_to_tensor(self.labeling(image)[None], dtype=torch.float32)
        return sample


class SkinWeakLabeld(WeakLabeld):
    """Add the weak label of a skin lesion, ``skin_weak_label``.

    Args:
        keys: RGB image (3, X, Y) in [0, 1].
        weak_label_key: where the weak label is stored, (1, X, Y) in [0, 1].

    Example:
        >>> import torch
        >>> image = torch.full((3, 40, 40), 0.8)
        >>> image[:, 14:26, 14:26] = 0.2
        >>> weak_label = SkinWeakLabeld("image")({"image": image})["weak_label"]
        >>> weak_label.shape, bool(weak_label[0, 20, 20] > 0.5)
        (torch.Size([1, 40, 40]), True)
    """

    def __init__(self, keys: KeysCollection, weak_label_key: str = "weak_label") -> None:
        super().__init__(keys, skin_weak_label, weak_label_key)


class LungWeakLabeld(WeakLabeld):
    """Add the weak label of the lungs, ``lung_weak_label``.

    Args:
        keys: CT (1, X, Y, Z) in [0, 1] for -1000 to 400 HU, axial slices along Z.
        weak_label_key: where the weak label is stored, (1, X, Y, Z) in [0, 1].

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 40, 40, 2)
        >>> image[:, 4:36, 4:36] = 0.75
        >>> image[:, 12:28, 12:28] = 0.15
        >>> weak_label = LungWeakLabeld("image")({"image": image})["weak_label"]
        >>> weak_label.shape, float(weak_label[0, 20, 20, 0])
        (torch.Size([1, 40, 40, 2]), 1.0)
    """

    def __init__(self, keys: KeysCollection, weak_label_key: str = "weak_label") -> None:
        super().__init__(keys, lung_weak_label, weak_label_key)


class CenterWeakLabeld(WeakLabeld):
    """Add a preference for the center, ``center_weight``, in place of a weak label.

    With it clusters are assigned to classes without labeling functions.

    Args:
        keys: image (C, X, Y); only its shape is used.
        weak_label_key: where the map is stored, (1, X, Y) in [0, 1].

    Example:
        >>> import torch
        >>> weak_label = CenterWeakLabeld("image")({"image": torch.rand(3, 7, 5)})["weak_label"]
        >>> weak_label.shape, float(weak_label[0, 3, 2])
        (torch.Size([1, 7, 5]), 1.0)
    """

    def __init__(self, keys: KeysCollection, weak_label_key: str = "weak_label") -> None:
        super().__init__(keys, center_weak_label, weak_label_key)
