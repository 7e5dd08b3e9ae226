"""Which cases need review."""

from __future__ import annotations

from typing import Any

import pytest

from s3net_monai.inference.report.review import consistency_cut, review_reasons


def case(**values: Any) -> dict[str, Any]:
    complete = {
        "status": "ok",
        "reason": None,
        "outputs": {"png": "a_seg.png"},
        "measures": {"area_px": 9},
        "warnings": [],
    }
    return {**complete, "consistency": 0.95, **values}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"status": "complete", "reason": "complete from an earlier run"}, []),
        ({"status": "skipped", "outputs": {}, "measures": {}}, ["not finished"]),
        ({"status": "failed", "outputs": {}, "measures": {}, "consistency": None}, ["failed"]),
        ({"measures": {"area_px": 0}}, ["empty mask"]),
        ({"measures": {"volume_ml": {"a": 0.0, "b": 0.0}}}, ["empty mask"]),
        ({"measures": {"volume_ml": {"a": 0.0, "b": 1.0}}}, []),
        ({"warnings": ["tilt corrected"]}, ["warning"]),
        ({"notes": ["no dicomseg written: a SEG needs a DICOM series"]}, []),
        ({"warnings": ["one", "two"], "consistency": 0.3}, ["warnings", "low consistency"]),
        ({"consistency": None}, []),
        ({"consistency": 0.85}, ["in the lowest tenth"]),
    ],
)
def test_what_makes_a_case_need_review(changes: dict[str, Any], expected: list[str]) -> None:
    assert review_reasons(case(**changes), cut=0.9) == expected


def test_the_lowest_tenth_is_empty_where_scores_are_equal() -> None:
    cases = [case(consistency=0.9 + index / 1000) for index in range(30)]
    cut = consistency_cut([*cases, case(consistency=None)])
    assert [bool(review_reasons(entry, cut)) for entry in cases] == [True] * 3 + [False] * 27
    equal = [case(consistency=1.0)] * 30
    assert not any(review_reasons(entry, consistency_cut(equal)) for entry in equal)
    few = [case(consistency=0.9 + index / 100) for index in range(9)]
    assert not any(review_reasons(entry, consistency_cut(few)) for entry in few)
