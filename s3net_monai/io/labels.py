"""The label table: every name, color and code that an output carries comes from here."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.utils.atomic import atomic_path

LABEL_TABLE_NAME = "labels.csv"
# Columns of a color table that 3D Slicer (from 5.8 on) opens; background, 0, is left out.
LABEL_TABLE_COLUMNS = (
    *("LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A"),
    *("Category_CodingScheme", "Category_CodeValue", "Category_CodeMeaning"),
    *("Type_CodingScheme", "Type_CodeValue", "Type_CodeMeaning"),
)


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM stores it (PS3.3 section 8.8)."""

    value: str
    meaning: str
    scheme: str = "SCT"


@dataclass(frozen=True, kw_only=True)
class Label:
    """One foreground class.

    Attributes:
        value: in a mask.
        name: for display.
        rgb: color for display, 0 to 255.
        category: of the segmented property, as DICOM SEG has it (PS3.3 section C.8.20.2).
        type: of the segmented property.
    """

    value: int
    name: str
    rgb: tuple[int, int, int]
    category: Code
    type: Code


ANATOMICAL_STRUCTURE = Code("123037004", "Anatomical Structure")
MORPHOLOGICALLY_ABNORMAL_STRUCTURE = Code("49755003", "Morphologically Abnormal Structure")

# Values of a task are dense from 1: Slicer's MONAI Label client names segments by their order.
LABELS: dict[str, tuple[Label, ...]] = {
    "lung": (
        Label(
            value=1,
            name="lung",
            rgb=(128, 174, 128),
            category=ANATOMICAL_STRUCTURE,
            type=Code("39607008", "Lung"),
        ),
    ),
    "skin": (
        Label(
            value=1,
            name="lesion",
            rgb=(230, 120, 70),
            category=MORPHOLOGICALLY_ABNORMAL_STRUCTURE,
            type=Code("95324001", "Skin lesion"),
        ),
    ),
    # Slicer's browns of the heart's parts cannot be told apart on an image: blue for right and red for left, as usual.
    "cardiac": (
        Label(
            value=1,
            name="RV",
            rgb=(0, 151, 206),
            category=ANATOMICAL_STRUCTURE,
            type=Code("53085002", "Right ventricle"),
        ),
        Label(
            value=2,
            name="MYO",
            rgb=(128, 174, 128),
            category=ANATOMICAL_STRUCTURE,
            type=Code("49848007", "Left Ventricle Myocardium"),
        ),
        Label(
            value=3,
            name="LV",
            rgb=(216, 101, 79),
            category=ANATOMICAL_STRUCTURE,
            type=Code("87878005", "Left ventricle"),
        ),
    ),
}


def channel_def(task: str) -> dict[str, str]:
    """Return the ``channel_def`` of the bundle's metadata: class index as text to class name, with background."""
    return {"0": "background", **{str(label.value): label.name for label in LABELS[task]}}


def write_label_table(folder: Path, labels: Sequence[Label]) -> Path:
    """Write the label table beside NIfTI masks, which hold no names, and return its path.

    ``labels.csv`` in ``folder`` serves all masks of a task. It holds values, names, colors and codes, for people and
    for 3D Slicer.
    """
    path = folder / LABEL_TABLE_NAME
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(LABEL_TABLE_COLUMNS)
        for label in labels:
            codes = [text for code in (label.category, label.type) for text in (code.scheme, code.value, code.meaning)]
            writer.writerow([label.value, label.name, *label.rgb, 255, *codes])
    return path
