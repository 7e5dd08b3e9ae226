"""Labels: codes compared with pydicom's dictionary, the label table file, and one description in every output."""

from __future__ import annotations

import csv
from collections.abc import Callable
from colorsys import rgb_to_hsv
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicerio
from pydicom import dcmread
from pydicom.sr.codedict import codes
from skimage.color import rgb2lab

from s3net_monai.io import Code, Label, Mask, write_label_table, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_values_are_dense_from_one(task: str) -> None:
    assert [label.value for label in TASKS[task].labels] == list(range(1, len(TASKS[task].labels) + 1))


@pytest.mark.parametrize(("task", "kind"), [("lung", codes.SCT.Lung), ("skin", codes.SCT.SkinLesion)])
def test_types_are_codes_of_the_standard(task: str, kind: Any) -> None:
    label = TASKS[task].labels[0]
    assert (label.type.value, label.type.scheme, label.type.meaning) == (*kind[:2], kind.meaning)


def test_cardiac_labels_differ() -> None:
    parts = TASKS["cardiac"].labels
    assert [label.name for label in parts] == ["RV", "MYO", "LV"]
    kinds = (codes.SCT.RightVentricle, codes.SCT.LeftVentricleMyocardium, codes.SCT.LeftVentricle)
    assert [(label.type.value, label.type.meaning) for label in parts] == [(kind.value, kind.meaning) for kind in kinds]
    hues = sorted(360 * rgb_to_hsv(*label.rgb)[0] for label in parts)  # previews draw the hue alone
    assert min(b - a for a, b in pairwise([*hues, hues[0] + 360])) > 60


def test_categories_are_those_of_slicers_terminology() -> None:
    # pydicom's dictionary has 91723000 for the first; Slicer, dcmqi and CID 7150 still use this code.
    assert TASKS["lung"].labels[0].category.value == "123037004"
    assert TASKS["skin"].labels[0].category.value == codes.SCT.MorphologicallyAbnormalStructure.value


def test_channel_def_has_the_background_first() -> None:
    assert TASKS["lung"].channel_def == {"0": "background", "1": "lung"}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_label_has_its_row(tmp_path: Path) -> None:
    path = write_label_table(tmp_path, TASKS["skin"].labels)
    assert path == tmp_path / "labels.csv"
    assert read(path) == [
        {
            "LabelValue": "1",
            "Name": "lesion",
            "Color_R": "230",
            "Color_G": "120",
            "Color_B": "70",
            "Color_A": "255",
            "Category_CodingScheme": "SCT",
            "Category_CodeValue": "49755003",
            "Category_CodeMeaning": "Morphologically Abnormal Structure",
            "Type_CodingScheme": "SCT",
            "Type_CodeValue": "95324001",
            "Type_CodeMeaning": "Skin lesion",
        }
    ]


def test_comma_in_a_name_stays_in_its_column(tmp_path: Path) -> None:
    code = Code("1", "upper, left")
    labels = (
        Label(value=1, name="lobe, upper", rgb=(0, 0, 0), category=code, type=code),
        Label(value=2, name="rest", rgb=(1, 2, 3), category=code, type=code),
    )
    first, second = read(write_label_table(tmp_path, labels))
    assert (first["Name"], first["Type_CodeMeaning"]) == ("lobe, upper", "upper, left")
    assert (second["LabelValue"], second["Color_B"]) == ("2", "3")
    assert [file.name for file in tmp_path.iterdir()] == ["labels.csv"]


@pytest.mark.parametrize("task", TASKS)
def test_all_outputs_agree(
    task: str, series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    affine = load_series([folder]).affine
    mask = Mask(
        array=np.ones((6, 4, 5), dtype=np.uint8),
        affine=affine,
        source=(folder,),
        labels=TASKS[task].labels,
        model_name="toy",
        model_version="1",
    )
    row = read(write_label_table(tmp_path, TASKS[task].labels))[0]
    seg = dcmread(write_mask(mask, tmp_path, case_id="case", format_name="dicomseg")).SegmentSequence[0]
    nrrd = slicerio.read_segmentation(str(write_mask(mask, tmp_path, case_id="case", format_name="segnrrd")))[
        "segments"
    ][0]

    assert seg.SegmentLabel == nrrd["name"] == row["Name"] == TASKS[task].channel_def["1"]
    assert str(seg.SegmentNumber) == str(nrrd["labelValue"]) == row["LabelValue"]
    for part in ("Category", "Type"):
        (coded,) = seg[f"SegmentedProperty{part}CodeSequence"]
        code = [coded.CodingSchemeDesignator, coded.CodeValue, coded.CodeMeaning]
        assert code == nrrd["terminology"][part.lower()]
        assert code == [row[f"{part}_{field}"] for field in ("CodingScheme", "CodeValue", "CodeMeaning")]
    rgb = np.array([int(row[f"Color_{channel}"]) for channel in "RGB"]) / 255
    np.testing.assert_allclose(nrrd["color"], rgb, atol=1e-6)
    # PS3.3 section C.10.7.1.1: L* from 0 to 100, a* and b* from -128 to 127, each on 16 bits; white as DCMTK has it.
    lightness, a, b = np.array(seg.RecommendedDisplayCIELabValue) / 65535
    np.testing.assert_allclose([lightness * 100, a * 255 - 128, b * 255 - 128], rgb2lab(rgb, "D65"), atol=0.1)
