"""A plain folder gives images of every format that can be read, and says what it passed over."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from s3net_monai.data.case_lists import labeled_cases
from s3net_monai.data.datalist import load_datalist, load_sections
from s3net_monai.file_formats import INPUTS


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


def test_what_is_passed_over_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.jpg", "a_segmentation.png", "a_superpixels.png", "notes.docx", "b.gif", "c_seg.png")
    with caplog.at_level(logging.WARNING):
        assert [Path(case["image"]).name for case in load_datalist(tmp_path, "training")] == ["a.jpg"]
    (message,) = caplog.messages
    assert "1 images; passed over 2 masks or labels by name (_segmentation, _superpixels)" in message
    assert message.endswith("and 2 files of other kinds")


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
