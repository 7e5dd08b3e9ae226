"""Single abdominal CT slices of CURVAS (Riera-Marin et al., MICCAI 2024) as 8-bit images with three organs.

Every slice carries the outline of one of the challenge's three raters. Where a folder has a slice by several of them,
the first rater's is used: a majority vote would need all three for every slice, and training should see the same kind
of label as the report.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import find_label, list_files, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split

DESCRIPTION = "CURVAS abdominal CT slices: 1 pancreas, 2 kidney, 3 liver; test: cases 10006 and 10007"
MODALITY = "CT"
NUM_CLASSES = 4
LAYOUT = "images/<case>_<slice>_r<rater>.png, with labels/ of the same names where there are labels"

TEST_PATIENTS = ("10006", "10007")
_SLICE = re.compile(r"((\d+)_\d+)_r\d+")


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the slices; all slices of a CT belong to one patient.

    Raises:
        DataError: if ``source`` holds no slice.
    """
    cases: dict[str, DatalistCase] = {}
    for image in list_files(source / "images", (".png",)):
        match = _SLICE.fullmatch(image.stem)
        if match and match[1] not in cases:  # in order of name, so of raters
            cases[match[1]] = DatalistCase(
                case_id=image.stem,
                patient=match[2],
                split=choose_split(match[2], is_test=match[2] in TEST_PATIENTS),
                image=image,
                label=find_label(source / "labels", image.stem),
            )
    return require_cases(cases.values(), source, LAYOUT)
