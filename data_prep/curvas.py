"""Single abdominal CT slices of CURVAS (Riera-Marin et al., MICCAI 2024) as 8-bit pictures with three organs.

Every slice carries the outline of one of the challenge's three raters. Where a folder has a slice by several of them,
the first rater's is taken: a vote would need all three for every slice, and training is to see what the report sees.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import files_in, found_or_error, label_beside
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of

DESCRIPTION = "CURVAS abdominal CT slices: 1 pancreas, 2 kidney, 3 liver; test: cases 10006 and 10007"
MODALITY = "CT"
LAYOUT = "images/<case>_<slice>_r<rater>.png, with labels/ of the same names where there are labels"

REPORTED = ("10006", "10007")
_SLICE = re.compile(r"((\d+)_\d+)_r\d+")


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases of single slices; all slices of a CT belong to one patient."""
    cases: dict[str, Case] = {}
    for image in files_in(source / "images", (".png",)):
        match = _SLICE.fullmatch(image.stem)
        if match and match[1] not in cases:  # in order of name, so of raters
            patient = match[2]
            split = split_of(patient, patient in REPORTED)
            cases[match[1]] = Case(image.stem, patient, split, image, label_beside(source / "labels", image.stem))
    return found_or_error(cases.values(), source, LAYOUT)
