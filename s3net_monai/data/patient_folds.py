"""Folds over the labeled patients, so that each patient gets masks from a model that never saw its labels."""

from __future__ import annotations

from collections.abc import Iterable

from s3net_monai.data.labeled_split import PATIENT_PATTERN, Sections, drop_labels, parse_patient
from s3net_monai.utils.errors import DataError


def patient_folds(case_ids: Iterable[str], num_folds: int, patient_pattern: str = PATIENT_PATTERN) -> dict[str, int]:
    """Assign every case to a fold, patients one after the other in the order of their names.

    All cases of a patient share a fold, and so do their slices.

    Args:
        case_ids: identifiers of the labeled cases.
        num_folds: at least 2.
        patient_pattern: as in ``split_labeled_patients``.

    Returns:
        The fold, 0 to ``num_folds - 1``, by case identifier.

    Raises:
        DataError: if there are fewer than two folds, or fewer patients than folds.
    """
    patients = {case_id: parse_patient(case_id, patient_pattern, "the labeled cases") for case_id in case_ids}
    names = sorted(set(patients.values()))
    if not 2 <= num_folds <= len(names):
        raise DataError(
            f"{num_folds} folds over {len(names)} labeled patients, expected 2 or more, and no more than patients; "
            "one labeled patient leaves no fold"
        )
    return {case_id: names.index(patient) % num_folds for case_id, patient in patients.items()}


def without_fold(sections: Sections, fold: int, num_folds: int, patient_pattern: str = PATIENT_PATTERN) -> Sections:
    """Move the labeled cases of one fold to "unlabeled", without their labels.

    Args:
        sections: of ``split_labeled_patients``.
        fold: index of the fold to leave out.
        num_folds: at least 2.
        patient_pattern: as in ``split_labeled_patients``.

    Raises:
        DataError: as ``patient_folds``, and if there is no such fold.
    """
    if not 0 <= fold < num_folds:
        raise DataError(f"fold {fold} of {num_folds}, expected 0 to {num_folds - 1}")
    folds = patient_folds([case["case_id"] for case in sections["training"]], num_folds, patient_pattern)
    training = [case for case in sections["training"] if folds[case["case_id"]] != fold]
    left_out = [case for case in sections["training"] if folds[case["case_id"]] == fold]
    return {**sections, "training": training, "unlabeled": drop_labels(left_out) + sections["unlabeled"]}
