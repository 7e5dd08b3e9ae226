"""Chest CT volumes in HU with lung masks, side by side in one folder."""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import VOLUME_SUFFIXES, find_label, list_files, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split

DESCRIPTION = "chest CT volumes with lung masks (NIfTI); test: id003"
MODALITY = "CT"
NUM_CLASSES = 2
LAYOUT = "<patient>_ct.nii.gz, each with <patient>_lung.nii.gz where it has a mask"
TEST_PATIENTS = {"id003"}


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the volumes <patient>_ct.nii[.gz]; one without <patient>_lung beside it is unlabeled.

    Raises:
        DataError: if ``source`` holds no volume.
    """
    cases = []
    for image in list_files(source, VOLUME_SUFFIXES):
        match = re.fullmatch(r"(.+)_ct(\.nii(?:\.gz)?)", image.name, re.IGNORECASE)
        if match:
            patient = match[1]
            label = find_label(source, f"{patient}_lung", VOLUME_SUFFIXES)
            cases.append(
                DatalistCase(
                    case_id=patient,
                    patient=patient,
                    split=choose_split(patient, is_test=patient in TEST_PATIENTS),
                    image=image,
                    label=label if label and label.is_file() else None,
                )
            )
    return require_cases(cases, source, LAYOUT)
