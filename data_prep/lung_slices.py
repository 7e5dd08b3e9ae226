"""Chest CT slices as 8-bit pictures with lung masks, as LungSegDB gives them; kept for test as a whole."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import PICTURES, files_in, found_or_error, label_beside
from s3net_monai.data.datalist import Case

DESCRIPTION = "chest CT slices with lung masks (8-bit pictures, LungSegDB); all for test"
MODALITY = "CT"
LAYOUT = "images/<slice>.png, with masks/<slice>.png where there are masks"


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases of images/ and masks/ under the same names."""
    cases = [
        Case(image.stem, image.stem, "test", image, label_beside(source / "masks", image.stem))
        for image in files_in(source / "images", PICTURES)
    ]
    return found_or_error(cases, source, LAYOUT)
