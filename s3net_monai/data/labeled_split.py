"""Split of a data set into a few labeled patients and all others without their labels."""

from __future__ import annotations

import os
import re
from typing import Any

from s3net_monai.data.datalist import UNLABELED, load_sections
from s3net_monai.data.splits import hash_fraction
from s3net_monai.utils.errors import DataError

Sections = dict[str, list[dict[str, Any]]]

PATIENT_PATTERN = "[^_]+"  # what comes before the first underscore: "patient001_frame01", "10001_394_r3"


def split_labeled_patients(
    source: str | os.PathLike[str],
    num_labeled_patients: int | None = None,
    split_seed: int = 0,
    *,
    patient_pattern: str = PATIENT_PATTERN,
) -> Sections:
    """Load a datalist with the labels of a few patients only.

    An experiment that states how many labels it uses must count those of "validation" if it uses them.

    The labeled patients depend on ``split_seed`` and the patients' names alone. The splits of one seed are nested: the
    patient that is labeled alone is also one of two.

    Args:
        source: a datalist.json, its folder, or a plain folder of images, which is all "unlabeled": enough for
            pre-training.
        num_labeled_patients: of the training section; None for all that have labels.
        split_seed: chooses the patients.
        patient_pattern: regular expression that matches the patient at the beginning of a case's identifier.

    Returns:
        Cases by section, as ``load_datalist`` returns them. "training" holds all labeled cases of the chosen patients,
        with labels; "unlabeled" all other cases of the training section and those of the file's own section
        "unlabeled", without labels; "validation" and "test" those sections, with labels.

    Raises:
        DataError: as ``load_sections``; if ``num_labeled_patients`` is below 1 or above the number of labeled patients;
            if an identifier does not begin with a patient; if a patient is in several sections.
    """
    sections = load_sections(source, labels=True)
    patients = {
        case["case_id"]: parse_patient(case["case_id"], patient_pattern, source)
        for cases in sections.values()
        for case in cases
    }
    _check_disjoint(sections, patients, source)
    labeled = {patients[case["case_id"]] for case in sections["training"] if "label" in case}
    count = len(labeled) if num_labeled_patients is None else num_labeled_patients
    if num_labeled_patients is not None and not 1 <= count <= len(labeled):
        raise DataError(
            f"{source}: {len(labeled)} patients with labels in the section training, {count} requested; "
            "expected 1 or more, and no more than there are"
        )
    chosen = set(sorted(labeled, key=lambda patient: hash_fraction(f"{split_seed}/{patient}"))[:count])
    training = [case for case in sections["training"] if "label" in case and patients[case["case_id"]] in chosen]
    unlabeled = [case for case in sections["training"] if case not in training] + sections[UNLABELED]
    return {**sections, "training": training, UNLABELED: drop_labels(unlabeled)}


def drop_labels(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return copies of the cases without their labels."""
    return [{key: value for key, value in case.items() if key != "label"} for case in cases]


def parse_patient(case_id: str, pattern: str, source: str | os.PathLike[str]) -> str:
    """Return the patient that a case's identifier begins with.

    Args:
        case_id: the identifier.
        pattern: regular expression that matches a patient.
        source: of the case, for the message.

    Raises:
        DataError: if the identifier does not begin with a patient.
    """
    match = re.match(pattern, case_id)
    if match is None or not match.group():
        raise DataError(f"{source}: case {case_id} does not begin with a patient as {pattern!r} describes; set another")
    return match.group()


def _check_disjoint(sections: Sections, patients: dict[str, str], source: str | os.PathLike[str]) -> None:
    """Refuse patients of validation or test in another part; training and unlabeled images may share patients."""
    parts = {
        "training": {patients[case["case_id"]] for name in ("training", UNLABELED) for case in sections[name]},
        **{part: {patients[case["case_id"]] for case in sections[part]} for part in ("validation", "test")},
    }
    for first, second in (("training", "validation"), ("training", "test"), ("validation", "test")):
        shared = parts[first] & parts[second]
        if shared:
            raise DataError(
                f"{source}: {len(shared)} patients in {first} and in {second}, expected every patient in one part; "
                "prepare the data set again, or describe patients by another pattern"
            )
