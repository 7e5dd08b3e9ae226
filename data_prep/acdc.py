"""ACDC cine cardiac MR (Bernard et al., IEEE TMI 2018): end-diastole and end-systole of each patient."""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import files_below, found_or_error
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of

DESCRIPTION = "ACDC cardiac MR, two frames a patient; test: patients 071-080 and the challenge's own test patients"
MODALITY = "MR"
LAYOUT = (
    "patient###/patient###_frame##.nii.gz with _gt.nii.gz, there or in labels/ beside images/, "
    "or patient###_frame##_image.nii.gz with _label.nii.gz"
)

_FRAME = re.compile(r"(patient(\d{3}))_(frame\d{2})(_image)?\.nii(\.gz)?")


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases of single frames, labeled where the label lies beside the image; the 4-D cine files are left alone.

    Patients above 100 are the challenge's own test set, which nobody may train on.
    """
    cases = []
    for image in files_below(source, "patient*_frame*.nii*"):
        match = _FRAME.fullmatch(image.name)
        if match:
            patient, number, frame, flat, _ = match.groups()
            label = image.with_name(image.name.replace("_image.", "_label.") if flat else _original_label(image.name))
            if image.parent.name == "images" and not label.is_file():
                label = image.parent.with_name("labels") / label.name
            split = split_of(patient, 71 <= int(number) <= 80 or int(number) > 100)
            cases.append(Case(f"{patient}_{frame}", patient, split, image, label if label.is_file() else None))
    return found_or_error(cases, source, LAYOUT)


def _original_label(name: str) -> str:
    stem, dot, suffix = name.partition(".")
    return f"{stem}_gt{dot}{suffix}"
