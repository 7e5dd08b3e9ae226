"""File names of saved masks, taken from the case identifier.

The image files of several cases may have the same name, each in a folder of its own.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import MapTransform


class SetFilenameFromCaseIdd(MapTransform):
    """Set the file name in the metadata to the case identifier, for ``SaveImaged``.

    Without it, eight cases whose images are all called image.nii.gz leave one mask. A sample without an identifier, as
    servers make them, keeps the file name of its image. The identifier is "case_id", as ``load_datalist`` gives it;
    characters that a file name cannot hold become underscores.

    Args:
        keys: a MetaTensor to be saved.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> mask = MetaTensor(torch.ones(1, 2, 2), meta={"filename_or_obj": "p01/image.nii.gz"})
        >>> sample = SetFilenameFromCaseIdd("pred")({"pred": mask, "case_id": "ward 3/p01"})
        >>> sample["pred"].meta["filename_or_obj"]
        'ward_3_p01.nii.gz'
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample; the metadata of ``keys`` is changed in place."""
        sample = dict(data)
        if "case_id" in sample:
            name = re.sub(r'[/\\:*?"<>|\s]', "_", str(sample["case_id"]))
            for key in self.key_iterator(sample):
                # The suffix is there for SaveImaged to remove; it would otherwise cut an identifier with dots.
                sample[key].meta["filename_or_obj"] = f"{name}.nii.gz"
        return sample
