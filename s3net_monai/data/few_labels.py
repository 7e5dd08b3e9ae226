"""A few labeled patients of a data set; all others without their labels."""

from __future__ import annotations

import os
import re
from typing import Any

from s3net_monai.data.datalist import UNLABELED, load_sections
from s3net_monai.data.splits import fraction
from s3net_monai.utils.errors import DataError

Cases = list[dict[str, Any]]


def few_labels(
    source: str | os.PathLike[str], patients: int | None = None, seed: int = 0, patient: str = "[^_]+"
) -> dict[str, Cases]:
    """The cases of a datalist.json with the labels of `patients` patients alone, as `load_datalist` gives them.

    "training" holds all labeled cases of `patients` patients of the training section, or of all that have labels, with
    their labels; "unlabeled" all its other cases, and those of a section "unlabeled" that the file may have, without
    labels; "validation" and "test" those sections, with labels. A plain folder of images is all "unlabeled", which is
    enough for a pre-training. An experiment that says how many labels it uses must
    count those of "validation" if it uses them.

    The draw depends on `seed` and the patients' names alone, and the draws of one seed are nested: who is drawn alone
    is also one of two. `patient` is a regular expression for the patient at the beginning of a case's identifier, by
    default what comes before the first underscore ("patient001_frame01", "10001_394_r3").

    Raises DataError as `load_sections` does, where `patients` is given and below 1 or above the number of labeled
    patients, for an identifier that does not begin with a patient, and for a patient in several sections.
    """
    sections = load_sections(source, labels=True)
    names = {
        case["case_id"]: patient_of(case["case_id"], patient, source) for part in sections.values() for case in part
    }
    _check_apart(sections, names, source)
    labeled = {names[case["case_id"]] for case in sections["training"] if "label" in case}
    wanted = len(labeled) if patients is None else patients
    if patients is not None and not 1 <= wanted <= len(labeled):
        raise DataError(
            f"{source}: {len(labeled)} patients with labels in the section training, {wanted} asked for; "
            "expected 1 or more, and no more than there are"
        )
    drawn = set(sorted(labeled, key=lambda name: fraction(f"{seed}/{name}"))[:wanted])
    known = [case for case in sections["training"] if "label" in case and names[case["case_id"]] in drawn]
    rest = [case for case in sections["training"] if case not in known] + sections[UNLABELED]
    blind = [{key: value for key, value in case.items() if key != "label"} for case in rest]
    return {**sections, "training": known, UNLABELED: blind}


def patient_of(case_id: str, pattern: str, source: str | os.PathLike[str]) -> str:
    """The patient of a case; DataError that names `source` where the pattern finds none."""
    match = re.match(pattern, case_id)
    if match is None or not match.group():
        raise DataError(f"{source}: case {case_id} does not begin with a patient as {pattern!r} describes; set another")
    return match.group()


def _check_apart(sections: dict[str, Cases], names: dict[str, str], source: str | os.PathLike[str]) -> None:
    """Training and unlabeled images may be of one patient; those of validation and test may be of no other part."""
    parts = {
        "training": {names[case["case_id"]] for name in ("training", UNLABELED) for case in sections[name]},
        **{part: {names[case["case_id"]] for case in sections[part]} for part in ("validation", "test")},
    }
    for first, second in (("training", "validation"), ("training", "test"), ("validation", "test")):
        shared = parts[first] & parts[second]
        if shared:
            raise DataError(
                f"{source}: {len(shared)} patients in {first} and in {second}, expected every patient in one part; "
                "prepare the data set anew, or describe patients by another pattern"
            )
