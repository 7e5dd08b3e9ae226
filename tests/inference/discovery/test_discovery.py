"""Cases that discovery finds in files and folders."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.file_formats import INPUTS, PREVIEW_SUFFIX
from s3net_monai.inference import UsageError, find_cases
from s3net_monai.io import limits
from tests.helpers.discovery_results import described, ids, touch, zipped


def test_images_become_cases_and_other_files_are_counted(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.nii.gz", "a.PNG", "c.v2.nii", "d.jpeg", "notes.txt", ".hidden.png")))
    discovery = find_cases([tmp_path])
    assert [case.case_id for case in discovery.cases] == ["a", "b", "c.v2", "d"]
    assert [case.kind for case in discovery.cases] == ["image_2d", "volume", "volume", "image_2d"]
    assert discovery.ignored == 1


def test_earlier_masks_and_the_output_folder_are_ignored(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a_seg.png", tmp_path / "out" / "b.png")
    assert ids([tmp_path], tmp_path / "out") == [("a", "image_2d")]


def test_equal_names_get_different_ids(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "1.png", tmp_path / "y" / "1.png", tmp_path / "y" / "1.jpg", tmp_path / "2.png")
    names = [case_id for case_id, _ in ids([tmp_path])]
    assert names == ["2", "x_1", "y_1", "y_1-2"]


def test_the_same_file_twice_still_gets_two_ids(tmp_path: Path) -> None:
    touch(tmp_path / "1.png")
    names = [case_id for case_id, _ in ids([tmp_path / "1.png", tmp_path / "1.png"])]
    assert len(set(names)) == 2


def test_tree_of_series(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    stored = np.zeros((2, 4, 4), dtype=np.uint16)
    series_maker(stored).save(tmp_path / "study" / "one")
    both = tmp_path / "study" / "both"
    series_maker(stored).save(both, names=["a", "b"])
    series_maker(stored).save(both, names=["c", "d"])
    cases = find_cases([tmp_path]).cases
    assert [case.case_id for case in cases] == ["both_series1", "both_series2", "one"]
    assert cases[2].input == tmp_path / "study" / "one"
    assert {file.parent for file in cases[2].image} == {tmp_path / "study" / "one"}
    assert sorted([file.name for file in case.image] for case in cases[:2]) == [["a", "b"], ["c", "d"]]
    assert all(case.input == both for case in cases[:2])


def test_damaged_file_belongs_to_the_only_series(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    folder = series_maker(np.zeros((2, 4, 4), dtype=np.uint16)).save(tmp_path / "ct")
    (folder / "bad.dcm").write_bytes(b"x")
    (case,) = find_cases([folder]).cases
    assert (case.case_id, case.input) == ("ct", folder)
    assert [file.name for file in case.image] == ["00000.dcm", "00007.dcm", "bad.dcm"]


def test_missing_and_unknown_inputs_are_unusable_cases(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a.txt")
    cases = find_cases([tmp_path / "a.png", tmp_path / "gone.png", tmp_path / "a.txt"]).cases
    assert [case.kind for case in cases] == ["image_2d", "unusable", "unusable"]
    assert "no such file" in cases[1].problem
    assert "not a known image type" in cases[2].problem


@pytest.mark.parametrize("content", [[], ["notes.txt"]])
def test_inputs_without_images_are_a_usage_error(tmp_path: Path, content: list[str]) -> None:
    touch(*(tmp_path / "in" / name for name in content))
    (tmp_path / "in").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="no image found"):
        find_cases([tmp_path / "in"])
    with pytest.raises(UsageError, match="no such file"):
        find_cases([tmp_path / "gone"])


def test_every_input_format_is_found(tmp_path: Path) -> None:
    suffixes = [suffix for format_ in INPUTS.values() if format_.role != "archive" for suffix in format_.suffixes]
    names = [f"a{number}{suffix}" for number, suffix in enumerate(suffixes)]
    touch(*(tmp_path / name for name in names))
    discovery = find_cases([tmp_path])
    assert sum(len(case.image) for case in discovery.cases) == len(names)
    assert discovery.ignored == 0
    assert {case.kind for case in discovery.cases} == {"volume", "image_2d", "dicom_series"}


def test_outputs_of_a_run_are_ignored(tmp_path: Path) -> None:
    outputs = [
        "a_seg.nii.gz",
        "a_seg.seg.nrrd",
        "a_seg.dcm",
        f"a{PREVIEW_SUFFIX}",
        "report.json",
        "report.html",
        "b.seg.nrrd",
    ]
    touch(*(tmp_path / name for name in [*outputs, "a.nrrd"]))
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("a", "volume", 1)]
    assert discovery.ignored == len(outputs)
    with pytest.raises(UsageError, match="a segmentation, not an image"):
        find_cases([tmp_path / "b.seg.nrrd"])


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("-rf.png", "rf"),
        ("..a.png", "a"),
        ("a:b*c?.png", "a_b_c_"),
        ("new\nline\x1b.png", "new_line_"),
        ("right\u202eleft.png", "right_left"),
        ("x" * 240 + ".png", "x" * 120),
        ("ä" * 100 + ".png", "ä" * 60),
        ("lung 01 (2).png", "lung 01 (2)"),
    ],
)
def test_case_ids_are_valid_file_names(tmp_path: Path, name: str, case_id: str) -> None:
    touch(tmp_path / name)
    assert ids([tmp_path / name]) == [(case_id, "image_2d")]


def test_ids_differ_regardless_of_case(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "A.nii", tmp_path / "A.mha", tmp_path / "b" / "a.bmp")
    names = [case_id for case_id, _ in ids([tmp_path])]
    assert len({name.casefold() for name in names}) == 4


def test_cycles_of_links_end_and_outward_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "sub" / "a.png", tmp_path / "outside" / "b.png", tmp_path / "c.png")
    (tmp_path / "in" / "sub" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "above").symlink_to(tmp_path)
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "back").symlink_to(tmp_path / "in" / "sub")
    (tmp_path / "in" / "gone.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    cases = find_cases([tmp_path / "in"]).cases
    usable = [case.case_id for case in cases if case.kind != "unusable"]
    assert sorted(usable) == ["a", "b"]
    assert {case.case_id for case in cases} - {"a", "b"} == {"gone", "self"}
    assert all("a broken link" in case.problem for case in cases if case.kind == "unusable")


def test_real_series_as_a_tree(real_data: Path, tmp_path: Path) -> None:
    discovery = find_cases([real_data / "dicom"])
    whole = {len(case.image): case.input.name for case in discovery.cases if len(case.image) > 2}
    assert whole == {20: "abdomen_jpeg2000", 60: "image", 64: "chest_A0001"}
    assert {series.reason.split(",")[0] for series in discovery.excluded} == {
        "Orientation is coronal",
        "Orientation is sagittal",
    }
    assert discovery.ignored == 1  # the structure set
    path = zipped(tmp_path / "cohort.zip", real_data / "dicom" / "chest_ibsi_rtstruct")
    (case,) = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert len(case.image) == 60
    assert case.input == path / "image"


def test_masks_and_superpixels_are_passed_over_and_counted(tmp_path: Path) -> None:
    names = ["ISIC_1.jpg", "ISIC_1_Segmentation.png", "ISIC_1_superpixels.png", "truth/labelsTr/ISIC_1.nii.gz"]
    touch(*(tmp_path / name for name in names))
    discovery = find_cases([tmp_path])
    assert [case.input.name for case in discovery.cases] == ["ISIC_1.jpg"]
    assert sorted(label.mark for label in discovery.labels) == ["_segmentation", "_superpixels", "folder labelstr"]
    assert discovery.ignored == 0
    touch(*(tmp_path / "study" / name / "a.png" for name in ("images", "masks")))
    archive = zipped(tmp_path / "study.zip", tmp_path / "study")
    discovery = find_cases([archive], unpack_to=tmp_path / "scratch")
    assert ([case.case_id for case in discovery.cases], len(discovery.labels)) == (["a"], 1)


def test_archives_that_are_harmless_alone_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them, of which each expands a thousandfold; named, in a folder and beside a DICOMDIR."""
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 700_000)
    for path in ("1.zip", "folder/2.zip", "disc/3.zip"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.png", bytes(600_000))
    touch(tmp_path / "disc" / "DICOMDIR")
    inputs = [tmp_path / name for name in ("1.zip", "folder", "disc")]
    cases = find_cases(inputs, unpack_to=tmp_path / "scratch").cases
    assert [case.kind for case in cases] == ["image_2d", "unusable", "unusable"]
    assert all("more than 100 times its size" in case.problem for case in cases[1:])
    assert sum(file.stat().st_size for file in (tmp_path / "scratch").rglob("*.png")) == 600_000


def test_a_file_that_the_user_names_is_a_case_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a_mask.png", tmp_path / "masks" / "b.png")
    assert ids([tmp_path / "a_mask.png"]) == [("a_mask", "image_2d")]
    assert ids([tmp_path / "masks"]) == [("b", "image_2d")]


def test_names_that_merely_end_like_a_label_are_images(tmp_path: Path) -> None:
    touch(tmp_path / "p1_lung.nii.gz", tmp_path / "p2_lung.nii.gz")
    assert ids([tmp_path]) == [("p1_lung", "volume"), ("p2_lung", "volume")]
