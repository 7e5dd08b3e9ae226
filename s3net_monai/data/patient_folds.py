"""Folds over the labeled patients, so that every one of them has masks of a model that never saw its labels."""

from __future__ import annotations

from collections.abc import Iterable

from s3net_monai.data.few_labels import Cases, patient_of
from s3net_monai.utils.errors import DataError


def patient_folds(case_ids: Iterable[str], folds: int, patient: str = "[^_]+") -> dict[str, int]:
    """The fold, 0 to `folds` - 1, of every case: patients take turns in the order of their names.

    All cases of a patient share a fold, and so do their slices. `patient` is as for `few_labels`.

    Raises DataError where there are fewer than two folds, or fewer patients than folds.
    """
    owners = {case_id: patient_of(case_id, patient, "the labeled cases") for case_id in case_ids}
    names = sorted(set(owners.values()))
    if not 2 <= folds <= len(names):
        raise DataError(
            f"{folds} folds over {len(names)} labeled patients, expected 2 or more, and no more than patients; "
            "one labeled patient leaves no fold"
        )
    return {case_id: names.index(owner) % folds for case_id, owner in owners.items()}


def without_fold(cases: dict[str, Cases], fold: int, folds: int, patient: str = "[^_]+") -> dict[str, Cases]:
    """The sections of `few_labels`, and the labeled cases of one fold moved to "unlabeled", without their labels.

    Raises DataError as `patient_folds` does, and where there is no such fold.
    """
    if not 0 <= fold < folds:
        raise DataError(f"fold {fold} of {folds}, expected 0 to {folds - 1}")
    place = patient_folds([case["case_id"] for case in cases["training"]], folds, patient)
    kept = [case for case in cases["training"] if place[case["case_id"]] != fold]
    left = [case for case in cases["training"] if place[case["case_id"]] == fold]
    blind = [{key: value for key, value in case.items() if key != "label"} for case in left]
    return {**cases, "training": kept, "unlabeled": blind + cases["unlabeled"]}
