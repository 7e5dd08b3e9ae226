"""The label table against pydicom's own dictionary of codes."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from s3net_monai.io import LABELS, channel_def


@pytest.mark.parametrize("task", LABELS)
def test_values_are_dense_from_one(task: str) -> None:
    assert [label.value for label in LABELS[task]] == list(range(1, len(LABELS[task]) + 1))


@pytest.mark.parametrize(
    ("task", "category", "kind"),
    [
        ("lung", codes.SCT.AnatomicalStructure, codes.SCT.Lung),
        ("skin", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.SkinLesion),
    ],
)
def test_codes_are_those_of_the_standard(task: str, category: object, kind: object) -> None:
    label = LABELS[task][0]
    assert (label.category.value, label.category.scheme) == (category.value, category.scheme_designator)
    assert (label.type.value, label.type.meaning) == (kind.value, kind.meaning)


def test_channel_def_has_the_background_first() -> None:
    assert channel_def("lung") == {"0": "background", "1": "lung"}
