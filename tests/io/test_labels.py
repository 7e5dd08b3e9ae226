"""The label table against pydicom's own dictionary of codes."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.sr.codedict import codes

from s3net_monai.io import LABELS, channel_def


@pytest.mark.parametrize("task", LABELS)
def test_values_are_dense_from_one(task: str) -> None:
    assert [label.value for label in LABELS[task]] == list(range(1, len(LABELS[task]) + 1))


@pytest.mark.parametrize(("task", "kind"), [("lung", codes.SCT.Lung), ("skin", codes.SCT.SkinLesion)])
def test_types_are_those_of_the_standard(task: str, kind: Any) -> None:
    label = LABELS[task][0]
    assert (label.type.value, label.type.scheme, label.type.meaning) == (*kind[:2], kind.meaning)


def test_categories_are_those_of_slicers_terminology() -> None:
    # pydicom's dictionary has gone on to 91723000 for the first; Slicer, dcmqi and CID 7150 hold on to this one.
    assert LABELS["lung"][0].category.value == "123037004"
    assert LABELS["skin"][0].category.value == codes.SCT.MorphologicallyAbnormalStructure.value


def test_channel_def_has_the_background_first() -> None:
    assert channel_def("lung") == {"0": "background", "1": "lung"}
