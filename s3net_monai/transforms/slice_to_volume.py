"""Conversion of a single slice, from a 2-D image file, to a volume of one slice."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform


class SliceToVolumed(MapTransform):
    """Convert (1, X, Y) to (1, X, Y, 1); volumes pass unchanged.

    A 2-D image has no spacing. Its longer side is assumed to be ``field_of_view``, the usual one of a chest CT, so that
    the network sees it at about the scale of its training. An axial CT is displayed from below, with the patient's left
    on the right and the front at the top, so the axes of the image run to the left and to the back. A slice from a file
    that states its geometry, NIfTI, keeps its affine.

    Args:
        keys: the image.
        field_of_view: size of the longer side in mm; None makes a pixel 1 mm, for networks that work in pixels.
        allow_missing_keys: whether a sample may lack some of ``keys``, such as the label.

    Example:
        >>> import torch
        >>> volume = SliceToVolumed("image")({"image": torch.rand(1, 96, 48)})["image"]
        >>> volume.shape, volume.pixdim.tolist()
        (torch.Size([1, 96, 48, 1]), [4.0, 4.0, 1.0])
    """

    def __init__(
        self, keys: KeysCollection, field_of_view: float | None = 384.0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.field_of_view = field_of_view

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with slices as volumes."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            if image.ndim == 3:
                meta = {name: value for name, value in getattr(image, "meta", {}).items() if name != "affine"}
                if "original_affine" in meta:  # MONAI's reader of 2-D images sets none
                    affine = image.affine
                else:
                    spacing = self.field_of_view / max(image.shape[1:]) if self.field_of_view else 1.0
                    affine = torch.diag(torch.tensor([-spacing, -spacing, 1.0, 1.0], dtype=torch.float64))
                    meta["original_affine"] = affine.clone()
                sample[key] = MetaTensor(torch.as_tensor(image)[..., None], affine=affine, meta=meta)
        return sample
