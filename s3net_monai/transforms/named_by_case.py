"""Masks named after their cases: files of several cases may share one name, as where each has a folder."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class NamedByCased(MapTransform):
    """Give the metadata of ``keys`` the case's identifier for a file name, which ``SaveImaged`` makes its own from.

    Without it, eight cases whose images are all called image.nii.gz leave one mask. A sample without an identifier, as
    servers make them, keeps the name of its image.

    Args:
        keys: a MetaTensor to be saved.
        case_key: of the identifier, as ``load_datalist`` gives it. What no file name may hold becomes an underscore.
    """

    def __init__(self, keys: KeysCollection, case_key: str = "case_id") -> None:
        super().__init__(keys)
        self.case_key = case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        if self.case_key in sample:
            name = re.sub(r'[/\\:*?"<>|\s]', "_", str(sample[self.case_key]))
            for key in self.key_iterator(sample):
                # with a suffix, because SaveImaged cuts one away, if need be that of an identifier with dots
                sample[key].meta["filename_or_obj"] = f"{name}.nii.gz"
        return sample
