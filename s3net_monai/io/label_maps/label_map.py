"""A label as it is stored in a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """A label as it is stored in a file.

    Attributes:
        array: int32 label values, (X, Y, Z) in the file's own axis order, or (X, Y).
        affine: (4, 4) RAS+ in mm; None for a 2-D label.
        name: of the file, without its folder.
        cropped: whether the file may omit background around the foreground, as DICOM SEG and 3D Slicer do.
        placed: whether the file states a position, which NIfTI does by its qform_code or sform_code.
    """

    array: np.ndarray
    affine: np.ndarray | None
    name: str
    cropped: bool = False
    placed: bool = True
