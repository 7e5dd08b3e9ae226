"""Chest CT slices as 8-bit images with lung masks, in the layout of LungSegDB; all of them are for test."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import IMAGE_SUFFIXES, find_label, list_files, require_cases
from s3net_monai.data.datalist import DatalistCase

DESCRIPTION = "chest CT slices with lung masks (8-bit images, LungSegDB); all for test"
MODALITY = "CT"
NUM_CLASSES = 2
LAYOUT = "images/<slice>.png, with masks/<slice>.png where there are masks"


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the slices in images/ and their masks of the same names in masks/.

    Raises:
        DataError: if ``source`` holds no slice.
    """
    cases = [
        DatalistCase(
            case_id=image.stem,
            patient=image.stem,
            split="test",
            image=image,
            label=find_label(source / "masks", image.stem),
        )
        for image in list_files(source / "images", IMAGE_SUFFIXES)
    ]
    return require_cases(cases, source, LAYOUT)
