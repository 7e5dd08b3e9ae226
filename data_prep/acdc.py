"""ACDC cine cardiac MR (Bernard et al., IEEE TMI 2018): end-diastole and end-systole of each patient."""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layout import list_files_below, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split

DESCRIPTION = "ACDC cardiac MR, two frames per patient; test: patients 071-080 and the challenge's own test patients"
MODALITY = "MR"
NUM_CLASSES = 4
LAYOUT = (
    "patient###/patient###_frame##.nii.gz with _gt.nii.gz, there or in labels/ beside images/, "
    "or patient###_frame##_image.nii.gz with _label.nii.gz"
)

_FRAME = re.compile(r"(patient(\d{3}))_(frame\d{2})(_image)?\.nii(\.gz)?", re.IGNORECASE)


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the single frames, labeled where the label is beside the image; the 4-D cine files are ignored.

    Patients above 100 are the challenge's own test set, which must not be used for training.

    Raises:
        DataError: if ``source`` holds no frame.
    """
    cases = []
    for image in list_files_below(source, "patient*_frame*.nii*"):
        match = _FRAME.fullmatch(image.name)
        if match:
            patient, number, frame, flat, _ = match.groups()
            label = image.with_name(image.name.replace("_image.", "_label.") if flat else _original_label(image.name))
            if image.parent.name == "images" and not label.is_file():
                label = image.parent.with_name("labels") / label.name
            cases.append(
                DatalistCase(
                    case_id=f"{patient}_{frame}",
                    patient=patient,
                    split=choose_split(patient, is_test=71 <= int(number) <= 80 or int(number) > 100),
                    image=image,
                    label=label if label.is_file() else None,
                )
            )
    return require_cases(cases, source, LAYOUT)


def _original_label(name: str) -> str:
    stem, dot, suffix = name.partition(".")
    return f"{stem}_gt{dot}{suffix}"
