"""Labels and their coded terminology: the names, colors and codes that every output carries.

The labels of each task are in ``s3net_monai.tasks``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM stores it (PS3.3 section 8.8)."""

    value: str
    meaning: str
    scheme: str = "SCT"


@dataclass(frozen=True, kw_only=True)
class Label:
    """One foreground class: its value in a mask, its display name and color, its DICOM SEG terminology.

    Attributes:
        value: the value of its voxels in a mask, from 1.
        name: the name that reports and files show.
        rgb: display color, 0 to 255 per channel.
        category: segmented property category (PS3.3 section C.8.20.2), such as anatomical structure.
        type: segmented property type, such as lung.
    """

    value: int
    name: str
    rgb: tuple[int, int, int]
    category: Code
    type: Code


ANATOMICAL_STRUCTURE = Code("123037004", "Anatomical Structure")
MORPHOLOGICALLY_ABNORMAL_STRUCTURE = Code("49755003", "Morphologically Abnormal Structure")
