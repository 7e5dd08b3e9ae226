"""A single CT slice from a picture file as a volume of one slice."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform


class SliceToVolumed(MapTransform):
    """Turn (1, X, Y) into (1, X, Y, 1); volumes pass unchanged.

    A picture has no spacing. Its longer side is taken as ``field_of_view``, the usual one of a chest CT, so that the
    network sees it at about the scale it knows. An axial CT is shown from below, with the patient's left on the right
    and the front at the top, so the axes of the picture run to the left and to the back. A slice from a file that
    states its geometry, NIfTI, keeps its affine.

    Args:
        keys: the image.
        field_of_view: size of the longer side in mm; None: a pixel is 1 mm, for networks that know pixels alone.
        allow_missing_keys: pass over keys that a sample lacks, such as the label.
    """

    def __init__(
        self, keys: KeysCollection, field_of_view: float | None = 384.0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.field_of_view = field_of_view

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            if image.ndim == 3:
                meta = {key: value for key, value in getattr(image, "meta", {}).items() if key != "affine"}
                if "original_affine" in meta:  # MONAI's reader of pictures sets none
                    affine = image.affine
                else:
                    spacing = self.field_of_view / max(image.shape[1:]) if self.field_of_view else 1.0
                    affine = torch.diag(torch.tensor([-spacing, -spacing, 1.0, 1.0], dtype=torch.float64))
                    meta["original_affine"] = affine.clone()
                sample[key] = MetaTensor(torch.as_tensor(image)[..., None], affine=affine, meta=meta)
        return sample
