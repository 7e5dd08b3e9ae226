"""Masks named after their cases: files of several cases may share one name, as where each has a folder."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import MapTransform


class SetFilenameFromCaseIdd(MapTransform):
    """Give the metadata of ``keys`` the case's identifier for a file name, which ``SaveImaged`` makes its own from.

    Without it, eight cases whose images are all called image.nii.gz leave one mask. A sample without an identifier, as
    servers make them, keeps the name of its image. The identifier is "case_id", as ``load_datalist`` gives it; what no
    file name may hold becomes an underscore.

    Args:
        keys: a MetaTensor to be saved.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        if "case_id" in sample:
            name = re.sub(r'[/\\:*?"<>|\s]', "_", str(sample["case_id"]))
            for key in self.key_iterator(sample):
                # with a suffix, because SaveImaged cuts one away, if need be that of an identifier with dots
                sample[key].meta["filename_or_obj"] = f"{name}.nii.gz"
        return sample
