"""Background in place of values that are not finite, before any step that would spread them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from s3net_monai.transforms.notes import add_note, log_notes, named_refusal
from s3net_monai.utils.non_finite import fill_non_finite

_BLOCK = 64  # lines or planes that are checked at a time


class FillNonFinited(MapTransform):
    """Replace NaN and infinite values of images by background, with a note that counts them.

    Images of finite values pass unchanged. As the first step after reading, it also logs the notes of the readers.

    Args:
        keys: images (C, X, Y[, Z]).
        percentile: of the finite values, which takes the place of the others: a low one is air, 50 the skin of a
            2-D image.

    Raises:
        CaseError: where no value is finite, or more than a twentieth of the body is not.

    Example:
        >>> import torch
        >>> image = torch.tensor([[[0.0, 0.0, 9.0], [0.0, 9.0, 9.0], [9.0, 9.0, float("nan")]]])
        >>> FillNonFinited("image", percentile=0)({"image": image})["image"][0, 2].tolist()
        [9.0, 9.0, 0.0]
    """

    def __init__(self, keys: KeysCollection, percentile: float = 0.5) -> None:
        super().__init__(keys)
        self.percentile = percentile

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with finite images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            log_notes(sample, key)
            image = sample[key]
            if _is_finite(torch.as_tensor(image)):
                continue
            with named_refusal(sample, key):
                filled, note = fill_non_finite(torch.as_tensor(image).cpu().numpy(), self.percentile)
            sample[key] = image.clone()
            sample[key][...] = torch.as_tensor(filled)
            add_note(sample, key, note)
        return sample


def _is_finite(image: torch.Tensor) -> bool:
    """Return whether all values of (C, X, ...) are finite; in blocks, to save memory."""
    return not image.is_floating_point() or all(bool(torch.isfinite(block).all()) for block in image.split(_BLOCK, 1))
