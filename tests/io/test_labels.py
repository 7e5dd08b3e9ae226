"""The labels compared with pydicom's dictionary of codes."""

from __future__ import annotations

from colorsys import rgb_to_hsv
from itertools import pairwise
from typing import Any

import pytest
from pydicom.sr.codedict import codes

from s3net_monai.io import LABELS, channel_def


@pytest.mark.parametrize("task", LABELS)
def test_values_are_dense_from_one(task: str) -> None:
    assert [label.value for label in LABELS[task]] == list(range(1, len(LABELS[task]) + 1))


@pytest.mark.parametrize(("task", "kind"), [("lung", codes.SCT.Lung), ("skin", codes.SCT.SkinLesion)])
def test_types_are_codes_of_the_standard(task: str, kind: Any) -> None:
    label = LABELS[task][0]
    assert (label.type.value, label.type.scheme, label.type.meaning) == (*kind[:2], kind.meaning)


def test_cardiac_labels_differ() -> None:
    parts = LABELS["cardiac"]
    assert [label.name for label in parts] == ["RV", "MYO", "LV"]
    kinds = (codes.SCT.RightVentricle, codes.SCT.LeftVentricleMyocardium, codes.SCT.LeftVentricle)
    assert [(label.type.value, label.type.meaning) for label in parts] == [(kind.value, kind.meaning) for kind in kinds]
    hues = sorted(360 * rgb_to_hsv(*label.rgb)[0] for label in parts)  # previews draw the hue alone
    assert min(b - a for a, b in pairwise([*hues, hues[0] + 360])) > 60


def test_categories_are_those_of_slicers_terminology() -> None:
    # pydicom's dictionary has 91723000 for the first; Slicer, dcmqi and CID 7150 still use this code.
    assert LABELS["lung"][0].category.value == "123037004"
    assert LABELS["skin"][0].category.value == codes.SCT.MorphologicallyAbnormalStructure.value


def test_channel_def_has_the_background_first() -> None:
    assert channel_def("lung") == {"0": "background", "1": "lung"}
