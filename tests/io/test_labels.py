"""The label table against pydicom's own dictionary of codes."""

from __future__ import annotations

from colorsys import rgb_to_hsv
from itertools import pairwise
from typing import Any

import pytest
from pydicom.sr.codedict import codes

from s3net_monai.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_values_are_dense_from_one(task: str) -> None:
    assert [label.value for label in TASKS[task].labels] == list(range(1, len(TASKS[task].labels) + 1))


@pytest.mark.parametrize(("task", "kind"), [("lung", codes.SCT.Lung), ("skin", codes.SCT.SkinLesion)])
def test_types_are_those_of_the_standard(task: str, kind: Any) -> None:
    label = TASKS[task].labels[0]
    assert (label.type.value, label.type.scheme, label.type.meaning) == (*kind[:2], kind.meaning)


def test_parts_of_the_heart_are_coded_named_and_colored_apart() -> None:
    parts = TASKS["cardiac"].labels
    assert [label.name for label in parts] == ["RV", "MYO", "LV"]
    kinds = (codes.SCT.RightVentricle, codes.SCT.LeftVentricleMyocardium, codes.SCT.LeftVentricle)
    assert [(label.type.value, label.type.meaning) for label in parts] == [(kind.value, kind.meaning) for kind in kinds]
    hues = sorted(360 * rgb_to_hsv(*label.rgb)[0] for label in parts)  # previews draw the hue alone
    assert min(b - a for a, b in pairwise([*hues, hues[0] + 360])) > 60


def test_categories_are_those_of_slicers_terminology() -> None:
    # pydicom's dictionary has gone on to 91723000 for the first; Slicer, dcmqi and CID 7150 hold on to this one.
    assert TASKS["lung"].labels[0].category.value == "123037004"
    assert TASKS["skin"].labels[0].category.value == codes.SCT.MorphologicallyAbnormalStructure.value


def test_channel_def_has_the_background_first() -> None:
    assert TASKS["lung"].channel_def == {"0": "background", "1": "lung"}
