"""A plain folder gives images of every format that can be read, and says what it passed over."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from s3net_monai.data.case_lists import labeled_cases
from s3net_monai.data.datalist import load_datalist, load_sections
from s3net_monai.file_formats import INPUTS
from s3net_monai.utils.errors import DataError
from tests.helpers.deep_folders import chain_of_folders


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_every_format_of_an_image_file_is_listed(tmp_path: Path) -> None:
    suffixes = [suffix for f in INPUTS.values() if f.role in ("volume", "image_2d") for suffix in f.suffixes]
    assert {".tif", ".nrrd", ".mha", ".nii.gz", ".png"} <= set(suffixes)
    touch(tmp_path, *(f"c{number}{suffix}" for number, suffix in enumerate(suffixes)))
    assert [case["case_id"] for case in load_datalist(tmp_path, "all")] == sorted(
        f"c{number}" for number in range(len(suffixes))
    )


def test_a_thousand_folders_in_each_other(tmp_path: Path) -> None:
    with chain_of_folders(tmp_path, 1300, files={"a.png": b""}) as last:
        assert [case["image"] for case in load_datalist(tmp_path, "all")] == [str(last / "a.png")]


def test_too_long_a_path_is_named_and_the_others_are_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.png")
    with caplog.at_level(logging.WARNING), chain_of_folders(tmp_path, 60, name="d" * 100, files={"b.png": b""}):
        assert [Path(case["image"]).name for case in load_datalist(tmp_path, "training")] == ["a.png"]
    (message,) = caplog.messages
    assert message.endswith("its path is longer than the system permits; move it to a folder nearer to the root")


def test_what_is_passed_over_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.jpg", "a_segmentation.png", "a_superpixels.png", "notes.docx", "b.gif", "c_seg.png")
    with caplog.at_level(logging.WARNING):
        assert [Path(case["image"]).name for case in load_datalist(tmp_path, "training")] == ["a.jpg"]
    (message,) = caplog.messages
    assert "1 images; passed over 2 masks or labels by name (_segmentation, _superpixels)" in message
    assert message.endswith("and 1 masks or previews of an earlier run or of 3D Slicer and 2 files of other kinds")


def test_nothing_passed_over_is_not_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_datalist(touch(tmp_path, "a.mhd", "a.raw"), "training")
    assert caplog.messages == []


def test_labels_by_name_are_given_on_request_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "A_Mask.PNG", "b.jpg")
    assert load_datalist(tmp_path, "training") == [
        {"case_id": name, "image": str(tmp_path / f"{name}.jpg")} for name in "ab"
    ]
    pair = {"case_id": "a", "image": str(tmp_path / "a.jpg"), "label": str(tmp_path / "A_Mask.PNG")}
    assert labeled_cases(tmp_path) == [pair]
    sections = load_sections(tmp_path, labels=True)
    assert (sections["training"], [case["case_id"] for case in sections["unlabeled"]]) == ([pair], ["b"])


RESULT_NAMES = ["a_seg.png", "a_seg.nii.gz", "a.seg.nrrd", "A_Seg.labelmap.dcm", "labels/a_seg.nii.gz"]


@pytest.mark.parametrize("label", RESULT_NAMES)
def test_a_mask_of_slicer_is_a_label_on_request(label: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz", label, "a_preview.jpg")
    with caplog.at_level(logging.WARNING):
        assert [case["case_id"] for case in load_datalist(tmp_path, "training")] == ["a", "b"]
    assert "2 images; passed over 1 masks or labels by name" in caplog.messages[0]
    assert caplog.messages[0].endswith(" and 1 masks or previews of an earlier run or of 3D Slicer")
    pair = {"case_id": "a", "image": str(tmp_path / "a.nii.gz"), "label": str(tmp_path / label)}
    assert labeled_cases(tmp_path) == [pair]


def test_masks_beside_the_report_of_their_run_are_no_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.png", "a_label.png", "b.png", "masks/a_seg.png", "masks/b_seg.png", "masks/report.json")
    with caplog.at_level(logging.WARNING):
        (pair,) = labeled_cases(tmp_path)
    assert Path(pair["label"]).name == "a_label.png"
    assert caplog.messages[0].endswith("(_label) and 2 masks or previews of an earlier run or of 3D Slicer")


def test_a_label_of_another_name_is_preferred_to_a_possible_result(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_mask.png", "a_seg.png", "a_seg.seg.nrrd")
    (pair,) = labeled_cases(tmp_path)
    assert Path(pair["label"]).name == "a_mask.png"


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: two labels, a\.seg\.nrrd and a_seg\.png"):
        labeled_cases(touch(tmp_path, "a.png", "a_seg.png", "a.seg.nrrd"))
