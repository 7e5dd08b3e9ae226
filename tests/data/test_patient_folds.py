"""Folds over patients: every patient is in one fold and left out once, without labels."""

from __future__ import annotations

import pytest

from s3net_monai.data.patient_folds import patient_folds, without_fold
from s3net_monai.utils.errors import DataError

NAMES = ["p3_a", "p1_a", "p1_b", "p2_a", "p5_a", "p4_a", "p4_b"]


def sections() -> dict[str, list[dict[str, str]]]:
    return {
        "training": [{"case_id": name, "image": f"i/{name}", "label": f"l/{name}"} for name in NAMES],
        "unlabeled": [{"case_id": "p9_a", "image": "i/p9_a"}],
        "validation": [],
        "test": [{"case_id": "p8_a", "image": "i/p8_a", "label": "l/p8_a"}],
    }


def test_patients_are_assigned_in_the_order_of_their_names() -> None:
    expected = {"p1_a": 0, "p1_b": 0, "p2_a": 1, "p3_a": 0, "p4_a": 1, "p4_b": 1, "p5_a": 0}
    assert patient_folds(NAMES, 2) == expected
    assert patient_folds(reversed(NAMES), 2) == expected
    assert patient_folds([f"{name}_z03" for name in NAMES], 2) == {f"{k}_z03": v for k, v in expected.items()}


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_every_patient_is_left_out_once(folds: int) -> None:
    all_left_out: list[str] = []
    for fold in range(folds):
        cases = without_fold(sections(), fold, folds)
        training = {case["case_id"] for case in cases["training"]}
        left_out = [case["case_id"] for case in cases["unlabeled"] if case["case_id"] != "p9_a"]
        assert training | set(left_out) == set(NAMES)
        assert not {name[:2] for name in training} & {name[:2] for name in left_out}
        assert all("label" in case for case in cases["training"])
        assert not any("label" in case for case in cases["unlabeled"])
        assert cases["test"] == sections()["test"]
        all_left_out += left_out
    assert sorted(all_left_out) == sorted(NAMES)


def test_arguments_are_not_modified() -> None:
    original = sections()
    without_fold(original, 0, 2)
    assert original == sections()


@pytest.mark.parametrize("folds", [0, 1, 6])
def test_too_few_or_too_many_folds(folds: int) -> None:
    with pytest.raises(DataError, match=f"{folds} folds over 5 labeled patients"):
        patient_folds(NAMES, folds)


@pytest.mark.parametrize("fold", [-1, 2])
def test_no_such_fold(fold: int) -> None:
    with pytest.raises(DataError, match=f"fold {fold} of 2, expected 0 to 1"):
        without_fold(sections(), fold, 2)


def test_a_case_without_a_patient() -> None:
    with pytest.raises(DataError, match="case _a does not begin with a patient"):
        patient_folds(["_a", "b_a"], 2)
