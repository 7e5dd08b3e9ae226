"""The input of the mask writers: a label mask with its affine, its source and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3net_monai.labels import Label


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A label mask on its source's grid.

    Attributes:
        array: (X, Y) or (X, Y, Z), uint8 label values; 0 is background.
        affine: (4, 4) RAS+ in mm.
        source: the input's path, or the paths of its DICOM files.
        labels: the foreground classes that ``array`` can hold.
        model_name: for formats that record which model produced the mask.
        model_version: likewise.
        allow: values of ``Irregularity`` that were repaired when the DICOM series was read.
        phase: number of the phase of a cine series in DICOM whose file holds several; else None.
    """

    array: np.ndarray
    affine: np.ndarray
    source: tuple[Path, ...]
    labels: tuple[Label, ...]
    model_name: str
    model_version: str
    allow: tuple[str, ...] = ()
    phase: int | None = None

    def as_2d(self) -> np.ndarray | None:
        """Return the mask as (X, Y) where it is 2-D or a single slice, else None."""
        if self.array.ndim == 3 and self.array.shape[2] == 1:
            return self.array[:, :, 0]
        return self.array if self.array.ndim == 2 else None
