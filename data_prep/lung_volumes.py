"""Chest CT volumes in HU with lung masks, side by side in one folder."""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import NIFTI, files_in, found_or_error
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of

DESCRIPTION = "chest CT volumes with lung masks (NIfTI); test: id003"
MODALITY = "CT"
LAYOUT = "<patient>_ct.nii.gz, each with <patient>_lung.nii.gz where it has a mask"
TEST_PATIENTS = {"id003"}


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases <patient>_ct.nii[.gz]; a volume without <patient>_lung beside it is unlabeled."""
    cases = []
    for image in files_in(source, NIFTI):
        match = re.fullmatch(r"(.+)_ct(\.nii(?:\.gz)?)", image.name)
        if match:
            patient = match[1]
            label = image.with_name(f"{patient}_lung{match[2]}")
            split = split_of(patient, patient in TEST_PATIENTS)
            cases.append(Case(patient, patient, split, image, label if label.is_file() else None))
    return found_or_error(cases, source, LAYOUT)
