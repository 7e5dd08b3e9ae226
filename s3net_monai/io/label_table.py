"""The label table beside masks in formats that hold no names: values, names, colors and codes for people and Slicer."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from s3net_monai.file_formats import LABEL_TABLE_NAME
from s3net_monai.labels import Label
from s3net_monai.utils.atomic import atomic_path

# Columns of a color table that 3D Slicer (from 5.8 on) opens; background, 0, is left out.
LABEL_TABLE_COLUMNS = (
    *("LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A"),
    *("Category_CodingScheme", "Category_CodeValue", "Category_CodeMeaning"),
    *("Type_CodingScheme", "Type_CodeValue", "Type_CodeMeaning"),
)


def write_label_table(folder: Path, labels: Sequence[Label]) -> Path:
    """Write ``labels.csv`` into ``folder``, once for all masks of a task, and return its path."""
    path = folder / LABEL_TABLE_NAME
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(LABEL_TABLE_COLUMNS)
        for label in labels:
            codes = [text for code in (label.category, label.type) for text in (code.scheme, code.value, code.meaning)]
            writer.writerow([label.value, label.name, *label.rgb, 255, *codes])
    return path
