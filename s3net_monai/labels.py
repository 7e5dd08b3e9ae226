"""Labels and their coded terminology: the names, colors and codes that every output carries.

The labels of each task are in ``s3net_monai.tasks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
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
# True of any organ or lesion; 3D Slicer gives it to segments that nobody has named (DICOM CID 7150).
TISSUE = Code("85756007", "Tissue")

_HUES = 180  # that are tried, every two degrees


def distinct_colors(count: int, taken: Sequence[tuple[int, int, int]] = ()) -> list[tuple[int, int, int]]:
    """Return colors whose hues are as far as possible from each other and from those taken, always the same ones.

    Previews draw outlines by hue alone.

    Args:
        count: number of colors.
        taken: RGB, 0 to 255, of the colors that exist.
    """
    hues = [rgb_to_hsv(*(part / 255 for part in rgb))[0] for rgb in taken]
    colors = []
    for _ in range(count):
        hue = max(range(_HUES), key=lambda step: min((_hue_distance(step / _HUES, h) for h in hues), default=0)) / _HUES
        hues.append(hue)
        red, green, blue = (round(255 * part) for part in hsv_to_rgb(hue, 0.6, 0.85))
        colors.append((red, green, blue))
    return colors


def _hue_distance(first: float, second: float) -> float:
    return min(abs(first - second), 1 - abs(first - second))
