"""MONAI's ``Spacingd``, safe with samples that hold plain values beside the image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.data import MetaTensor
from monai.transforms import Spacingd


class SafeSpacingd(Spacingd):
    """``Spacingd`` of MONAI 1.6.1 updates every item whose key starts with ``image_`` as if it were metadata.

    A path under ``image_path``, which MONAI Label always adds, then ends in an AttributeError. Items beside
    ``keys`` that are neither ``MetaTensor`` nor mapping are kept from it and put back.
    """

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        plain = {key: value for key, value in data.items() if not isinstance(value, (MetaTensor, Mapping))}
        kept = {key: value for key, value in data.items() if key not in plain or key in self.keys}
        return {**plain, **super().__call__(kept, lazy)}
