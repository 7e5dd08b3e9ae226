"""What a writer is given: one label mask with its place, its source and its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3net_monai.labels import Label


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A label mask on its source's grid.

    Attributes:
        array: (X, Y) or (X, Y, Z), uint8 label values, 0 is background.
        affine: (4, 4) RAS+ in mm.
        source: the input's path, or the paths of its DICOM files.
        labels: the foreground classes that ``array`` can hold.
        model_name: for formats that record what made the mask.
        model_version: likewise.
        allow: irregularities of a DICOM series that were mended when it was read, as ``series_files`` takes them.
    """

    array: np.ndarray
    affine: np.ndarray
    source: tuple[Path, ...]
    labels: tuple[Label, ...]
    model_name: str
    model_version: str
    allow: tuple[str, ...] = ()

    def picture(self) -> np.ndarray | None:
        """The mask as (X, Y) where it is a picture or a single slice, else None."""
        if self.array.ndim == 3 and self.array.shape[2] == 1:
            return self.array[:, :, 0]
        return self.array if self.array.ndim == 2 else None
