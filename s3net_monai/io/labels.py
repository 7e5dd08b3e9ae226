"""The label table: every name, color and code that an output carries comes from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM stores it (PS3.3 section 8.8)."""

    value: str
    meaning: str
    scheme: str = "SCT"


@dataclass(frozen=True)
class Label:
    """One foreground class: its value in a mask, its display name and color, its DICOM SEG terminology."""

    value: int
    name: str
    rgb: tuple[int, int, int]
    category: Code
    type: Code


ANATOMICAL_STRUCTURE = Code("123037004", "Anatomical Structure")
MORPHOLOGICALLY_ABNORMAL_STRUCTURE = Code("49755003", "Morphologically Abnormal Structure")

# Values of a task are dense from 1: Slicer's MONAI Label client names segments by their order.
LABELS: dict[str, tuple[Label, ...]] = {
    "lung": (Label(1, "lung", (128, 174, 128), ANATOMICAL_STRUCTURE, Code("39607008", "Lung")),),
    "skin": (Label(1, "lesion", (230, 120, 70), MORPHOLOGICALLY_ABNORMAL_STRUCTURE, Code("95324001", "Skin lesion")),),
    # Slicer's browns of the heart's parts cannot be told apart on an image: blue for right and red for left, as usual.
    "cardiac": (
        Label(1, "RV", (0, 151, 206), ANATOMICAL_STRUCTURE, Code("53085002", "Right ventricle")),
        Label(2, "MYO", (128, 174, 128), ANATOMICAL_STRUCTURE, Code("49848007", "Left Ventricle Myocardium")),
        Label(3, "LV", (216, 101, 79), ANATOMICAL_STRUCTURE, Code("87878005", "Left ventricle")),
    ),
}


def channel_def(task: str) -> dict[str, str]:
    """The ``channel_def`` of the bundle's metadata: class index as text -> class name, background included."""
    return {"0": "background", **{str(label.value): label.name for label in LABELS[task]}}
