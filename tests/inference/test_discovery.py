"""Which cases come out of which paths."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.inference import UsageError, find_cases
from s3net_monai.inference.cases import Discovery
from s3net_monai.inference.dicom_cases import absent_files
from s3net_monai.inference.identifiers import redact, reported_input
from s3net_monai.inference.inputs import INPUTS
from s3net_monai.inference.previews import PREVIEW_SUFFIX
from s3net_monai.inference.selection import Condition, Selection
from tests.dicom_media import SECONDARY_CAPTURE, medium, photograph, series


def ids(paths: list[Path], output: Path | None = None) -> list[tuple[str, str]]:
    return [(case.case_id, case.kind) for case in find_cases(paths, output).cases]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_files_of_a_folder_become_cases_and_others_are_counted(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.nii.gz", "a.PNG", "c.v2.nii", "d.jpeg", "notes.txt", ".hidden.png")))
    found = find_cases([tmp_path])
    assert [case.case_id for case in found.cases] == ["a", "b", "c.v2", "d"]
    assert [case.kind for case in found.cases] == ["picture", "volume", "volume", "picture"]
    assert found.ignored == 1


def test_masks_of_an_earlier_run_and_the_output_folder_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a_seg.png", tmp_path / "out" / "b.png")
    assert ids([tmp_path], tmp_path / "out") == [("a", "picture")]


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
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


def test_damaged_file_stays_with_the_only_series(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    folder = series_maker(np.zeros((2, 4, 4), dtype=np.uint16)).save(tmp_path / "ct")
    (folder / "bad.dcm").write_bytes(b"x")
    (case,) = find_cases([folder]).cases
    assert (case.case_id, case.input) == ("ct", folder)
    assert [file.name for file in case.image] == ["00000.dcm", "00007.dcm", "bad.dcm"]


def test_missing_and_unknown_inputs_are_cases_that_fail(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a.txt")
    cases = find_cases([tmp_path / "a.png", tmp_path / "gone.png", tmp_path / "a.txt"]).cases
    assert [case.kind for case in cases] == ["picture", "unusable", "unusable"]
    assert "no such file" in cases[1].problem
    assert "not a known image type" in cases[2].problem


@pytest.mark.parametrize("content", [[], ["notes.txt"]])
def test_nothing_at_all_is_a_usage_error(tmp_path: Path, content: list[str]) -> None:
    touch(*(tmp_path / "in" / name for name in content))
    (tmp_path / "in").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="no image found"):
        find_cases([tmp_path / "in"])
    with pytest.raises(UsageError, match="no such file"):
        find_cases([tmp_path / "gone"])


def described(found: Discovery) -> list[tuple[str, str, int]]:
    return [(case.case_id, case.kind, len(case.image)) for case in found.cases]


def reasons(found: Discovery) -> list[str]:
    return [f"{each.series}: {each.reason}" for each in found.passed_over]


def zipped(path: Path, folder: Path) -> Path:
    return Path(shutil.make_archive(str(path.with_suffix("")), "zip", folder))


def test_every_input_format_is_found(tmp_path: Path) -> None:
    suffixes = [suffix for each in INPUTS.values() if each.role != "archive" for suffix in each.suffixes]
    names = [f"a{number}{suffix}" for number, suffix in enumerate(suffixes)]
    touch(*(tmp_path / name for name in names))
    found = find_cases([tmp_path])
    assert sum(len(case.image) for case in found.cases) == len(names)
    assert found.ignored == 0
    assert {case.kind for case in found.cases} == {"volume", "picture", "dicom"}


def test_outputs_of_a_run_are_passed_over(tmp_path: Path) -> None:
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
    found = find_cases([tmp_path])
    assert described(found) == [("a", "volume", 1)]
    assert found.ignored == len(outputs)
    with pytest.raises(UsageError, match="a segmentation, not an image"):
        find_cases([tmp_path / "b.seg.nrrd"])


def test_phases_in_one_place_do_not_count_as_slices(tmp_path: Path) -> None:
    series(5, SeriesNumber=2).save(tmp_path / "st" / "whole")
    phases = series(3, SeriesNumber=3)
    phases.slices += [copy for _ in range(3) for copy in series(3, SeriesNumber=3).slices]
    for dataset in phases.slices:
        dataset.SeriesInstanceUID = phases.slices[0].SeriesInstanceUID
    phases.save(tmp_path / "st" / "phases")
    found = find_cases([tmp_path])
    assert described(found) == [("whole", "dicom", 5)]
    assert reasons(found) == ["series 3 of 3 slices: 3 slices, the one taken has 5"]


def test_the_axial_series_with_most_slices_is_taken(tmp_path: Path) -> None:
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    series(1, SeriesNumber=1, ImageType=scout, SeriesDescription="Scout").save(tmp_path / "st" / "s1")
    series(5, SeriesNumber=2, SeriesDescription="Thick").save(tmp_path / "st" / "s2")
    series(9, SeriesNumber=3, SeriesDescription="Lung").save(tmp_path / "st" / "s3")
    series(20, SeriesNumber=4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]).save(tmp_path / "st" / "s4")
    series(30, SeriesNumber=5, ImageType=["DERIVED", "SECONDARY", "MPR"]).save(tmp_path / "st" / "s5")
    series(40, SeriesNumber=6, Modality="MR").save(tmp_path / "st" / "s6")
    series(40, SeriesNumber=7, Modality="SEG").save(tmp_path / "st" / "s7")
    found = find_cases([tmp_path])
    assert described(found) == [("s3", "dicom", 9)]
    assert found.cases[0].selection == (
        "series 3 (Lung) of 9 slices taken of 7 series of its study: satisfies 'primary axial CT'"
    )
    assert reasons(found) == [
        "series 1 (Scout) of 1 slice: ImageType is ORIGINAL, PRIMARY, LOCALIZER, not in LOCALIZER, SCOUT expected",
        "series 2 (Thick) of 5 slices: 5 slices, the one taken has 9",
        "series 4 of 20 slices: Orientation is coronal, axial expected",
        "series 5 of 30 slices: ImageType is DERIVED, SECONDARY, MPR, contains PRIMARY expected",
        "series 6 of 40 slices: Modality is MR, CT expected",
        "series 7 of 40 slices: SEG, made from images and none itself",
    ]
    assert all(json.dumps(asdict(each)) for each in found.passed_over)


def test_every_study_gives_a_case(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        for number in (1, 2):
            series(number + 1, f"1.2.3.{patient[1]}", SeriesNumber=number).save(
                tmp_path / patient / "st" / f"s{number}"
            )
    found = find_cases([tmp_path])
    assert described(found) == [("p1_st_s2", "dicom", 3), ("p2_st_s2", "dicom", 3)]


@pytest.mark.parametrize("name", ["folder", "file"])
def test_what_the_user_names_is_taken(tmp_path: Path, name: str) -> None:
    folder = series(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]).save(tmp_path / "st" / "scout")
    series(5).save(tmp_path / "st" / "axial")
    found = find_cases([folder if name == "folder" else folder / "00000.dcm"], rules=rules(Modality={"equals": "MR"}))
    assert [(case.kind, case.selection) for case in found.cases] == [("dicom", "")]
    assert found.passed_over == ()


def test_a_study_without_a_fitting_series_still_is_a_case(tmp_path: Path) -> None:
    series(3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesNumber=1).save(tmp_path / "s1")
    series(9, Modality="MR", SeriesNumber=2).save(tmp_path / "s2")
    found = find_cases([tmp_path])
    assert described(found) == [("s1", "dicom", 3)]
    assert "nearest to 'primary axial CT'" in found.cases[0].selection


def rules(choose: str = "most-slices", **conditions: dict[str, Any]) -> Selection:
    tests = [Condition(key, test, value) for key, each in conditions.items() for test, value in each.items()]
    return Selection(tuple(tests), choose, "rules.json")  # type: ignore[arg-type]


def test_rules_of_the_user(tmp_path: Path) -> None:
    series(3, SeriesNumber=1, ConvolutionKernel="B70f", SliceThickness=1).save(tmp_path / "thin")
    series(4, SeriesNumber=2, ConvolutionKernel="B70f", SliceThickness=5).save(tmp_path / "thick")
    series(5, SeriesNumber=3, ConvolutionKernel="B30f", SliceThickness=1).save(tmp_path / "soft")
    hard = {"ConvolutionKernel": {"in": ["B70f"]}}
    assert described(find_cases([tmp_path], rules=rules(**hard))) == [("thick", "dicom", 4)]
    assert described(find_cases([tmp_path], rules=rules("all", **hard))) == [
        ("thick", "dicom", 4),
        ("thin", "dicom", 3),
    ]
    thin = rules(**hard, SliceThickness={"range": [0.5, 3]}, NumberOfSlices={"range": [2, None]})
    assert described(find_cases([tmp_path], rules=thin)) == [("thin", "dicom", 3)]


def test_a_study_that_no_rule_fits_fails_with_its_reason(tmp_path: Path) -> None:
    series(3, "1.2.3.1", SeriesNumber=1, SeriesDescription="Lung").save(tmp_path / "a")
    series(4, "1.2.3.2", SeriesNumber=2, SeriesDescription="Head").save(tmp_path / "b")
    cases = find_cases([tmp_path], rules=rules(SeriesDescription={"regex": "Lung"})).cases
    assert [case.kind for case in cases] == ["dicom", "unusable"]
    assert cases[1].problem == (
        "b: no series satisfies the rules of rules.json: SeriesDescription is Head, regex Lung expected "
        "in series 2 (Head) of 4 slices"
    )


def test_a_series_may_lie_in_several_folders(tmp_path: Path) -> None:
    maker = series(4)
    folder = maker.save(tmp_path / "ct" / "one")
    (tmp_path / "ct" / "two").mkdir()
    for file in sorted(folder.iterdir())[:2]:
        file.rename(tmp_path / "ct" / "two" / file.name)
    found = find_cases([tmp_path])
    assert described(found) == [("ct", "dicom", 4)]
    maker.save(tmp_path / "copy")
    found = find_cases([tmp_path])
    assert [(len(case.image), case.kind) for case in found.cases] == [(4, "dicom")]
    assert reasons(found) == ["series 3 of 4 slices: 4 files in other folders repeat its instances"]


def test_damaged_files_among_several_series_are_cases_that_fail(tmp_path: Path) -> None:
    series(3, SeriesNumber=1).save(tmp_path, names=["a", "b", "c"])
    series(2, SeriesNumber=2).save(tmp_path, names=["d", "e"])
    (tmp_path / "bad.dcm").write_bytes(b"x")
    cases = find_cases([tmp_path]).cases
    assert [(case.case_id, len(case.image)) for case in cases] == [(tmp_path.name, 3), ("bad", 1)]


def test_only_damaged_files_are_not_dropped(tmp_path: Path) -> None:
    touch(tmp_path / "ct" / "1.dcm", tmp_path / "ct" / "2.dcm")
    assert ids([tmp_path]) == [("1", "dicom"), ("2", "dicom")]


def test_photographs_are_cases_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b.dcm"):
        photograph(SOPInstanceUID=f"1.2.3.{len(name)}").save_as(tmp_path / name, enforce_file_format=True)
    assert described(find_cases([tmp_path])) == [("a", "dicompicture", 1), ("b", "dicompicture", 1)]
    assert described(find_cases([tmp_path / "a"])) == [("a", "dicompicture", 1)]


def test_a_colour_capture_beside_a_volume_is_passed_over(tmp_path: Path) -> None:
    series(3).save(tmp_path / "ct")
    capture = photograph(SOPClassUID=SECONDARY_CAPTURE, StudyInstanceUID="1.2.826.0.1.1")
    capture.save_as(tmp_path / "dose.dcm", enforce_file_format=True)
    found = find_cases([tmp_path])
    assert described(found) == [("ct", "dicom", 3)]
    assert [each.reason for each in found.passed_over] == ["a colour capture beside a volume"]
    assert described(find_cases([tmp_path / "dose.dcm"])) == [("dose", "dicompicture", 1)]


def test_a_series_beyond_the_limit_is_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(3).save(tmp_path / "ct")
    touch(tmp_path / "a.png")
    monkeypatch.setattr("s3net_monai.inference.dicom_cases.MAX_VOXELS", 59)
    assert [case.problem for case in find_cases([tmp_path]).cases][1].startswith("ct: 60 voxels, beyond the limit")


def test_archives_are_searched_like_folders(tmp_path: Path) -> None:
    series(3).save(tmp_path / "in" / "patient" / "ct")
    touch(tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "notes.txt")
    path = zipped(tmp_path / "study.zip", tmp_path / "in")
    found = find_cases([path], unpack_to=tmp_path / "unpacked")
    assert described(found) == [("a", "volume", 1), ("ct", "dicom", 3)]
    assert [case.input for case in found.cases] == [path / "a.nii.gz", path / "patient" / "ct"]
    assert all(file.is_file() for case in found.cases for file in case.image)
    assert found.ignored == 1


def test_archives_in_an_archive_are_a_failed_case_and_no_silent_loss(tmp_path: Path) -> None:
    series(3, PatientName="Doe^Jane").save(tmp_path / "in" / "ct")
    touch(tmp_path / "in" / "more.zip")
    path = zipped(tmp_path / "Doe.zip", tmp_path / "in")
    taken, failed = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert taken.kind == "dicom"
    assert failed.problem == "Doe.zip: archives in the archive are not opened (1); unpack it yourself"
    assert "Doe" not in failed.case_id + redact(failed.problem, failed.identifiers)


def test_a_series_at_the_top_of_an_archive_is_named_after_it(tmp_path: Path) -> None:
    series(3).save(tmp_path / "in")
    path = zipped(tmp_path / "study.zip", tmp_path / "in")
    (case,) = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert (case.case_id, case.input) == ("study", path)


def test_a_bad_archive_is_one_failed_case(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.png", tmp_path / "in" / "bad.zip")
    with zipfile.ZipFile(tmp_path / "in" / "evil.zip", "w") as opened:
        opened.writestr("../../evil.png", b"")
    (tmp_path / "none").mkdir()
    zipped(tmp_path / "in" / "empty.zip", tmp_path / "none")
    found = find_cases([tmp_path / "in"], unpack_to=tmp_path / "unpacked")
    assert [(case.case_id, case.kind) for case in found.cases] == [
        ("a", "picture"),
        ("bad", "unusable"),
        ("empty", "unusable"),
        ("evil", "unusable"),
    ]
    assert "damaged archive" in found.cases[1].problem
    assert "no image found (it is empty)" in found.cases[2].problem
    assert "would leave the folder" in found.cases[3].problem
    assert "no folder to unpack it to" in find_cases([tmp_path / "in"]).cases[1].problem


def test_a_dicomdir_stands_for_what_it_names(tmp_path: Path) -> None:
    path = medium(tmp_path / "cd", series(5, SeriesNumber=1), series(3, SeriesNumber=2))
    series(9, "1.2.3.9").save(tmp_path / "cd" / "extra")
    found = find_cases([path])
    assert [(len(case.image), case.kind) for case in found.cases] == [(5, "dicom")]
    assert [(len(case.image), case.kind) for case in find_cases([tmp_path / "cd"]).cases] == [
        (5, "dicom"),
        (9, "dicom"),
    ]


@pytest.mark.parametrize("named", ["folder", "file"])
def test_files_missing_from_a_medium_are_named(tmp_path: Path, named: str) -> None:
    path = medium(tmp_path / "cd", series(3, "1.2.3.1"), series(3, "1.2.3.2"), series(3, "1.2.3.3"))
    files = sorted((tmp_path / "cd").rglob("IM*"))
    for file in (files[0], *files[3:6]):
        file.unlink()
    found = find_cases([path if named == "file" else tmp_path / "cd"])
    assert [case.kind for case in found.cases].count("dicom") == 1
    problems = sorted(case.problem for case in found.cases if case.kind == "unusable")
    assert len(problems) == 2
    assert "1 files that the DICOMDIR names are missing" in "".join(problems)
    assert problems[0].startswith("DICOMDIR: 3 files that the DICOMDIR names are missing (")


def test_a_damaged_dicomdir_does_not_hide_its_files(tmp_path: Path) -> None:
    path = medium(tmp_path / "cd", series(3))
    path.write_bytes(b"x")
    found = find_cases([tmp_path / "cd"])
    assert [(len(case.image), case.kind) for case in found.cases] == [(3, "dicom")]
    assert "not readable as DICOMDIR" in found.passed_over[0].reason
    with pytest.raises(UsageError, match="not readable as DICOMDIR"):
        find_cases([path])


def test_identifiers_are_in_no_name_and_no_text(tmp_path: Path) -> None:
    tags = {"PatientName": "Doe^Jane", "PatientID": "MRN417", "PatientBirthDate": "19700131"}
    patient = tmp_path / "DOE_JANE_1970-01-31"
    series(3, SeriesNumber=1, SeriesDescription="Thorax Doe", **tags).save(patient / "MRN417")
    series(2, SeriesNumber=2, SeriesDescription="Jane's head", **tags).save(patient / "doe")
    touch(patient / "jane.nii.gz", patient / "bad" / "mrn417.dcm")
    found = find_cases([tmp_path])
    shown = [text for each in found.passed_over for text in asdict(each).values()]
    shown += [text for case in found.cases for text in (case.case_id, reported_input(case))]
    shown += [redact(text, case.identifiers) for case in found.cases for text in (case.selection, case.problem)]
    assert len(found.cases) == 3
    assert len(found.passed_over) == 1
    assert not any(word in text.lower() for text in shown for word in ("doe", "jane", "417", "1970", "1.2.826"))
    again = find_cases([tmp_path])
    assert [case.case_id for case in again.cases] == [case.case_id for case in found.cases]
    kept = find_cases([tmp_path], keep_identifiers=True)
    assert {case.case_id for case in kept.cases} == {"jane", "bad_mrn417", "DOE_JANE_1970-01-31_MRN417"}
    assert not any(case.identifiers for case in kept.cases)


@pytest.mark.parametrize("named", [["."], ["nifti", "cut", "jane.nii.gz", "dicom"]], ids=["together", "apart"])
def test_files_without_a_header_hide_the_patient_that_others_name(tmp_path: Path, named: list[str]) -> None:
    patient = tmp_path / "Doe_Jane"
    series(3, PatientName="Doe^Jane", PatientID="MRN417").save(patient / "dicom")
    touch(patient / "jane.nii.gz", patient / "nifti" / "mrn417.nii.gz", patient / "cut" / "1.2.826.0.1.7.9-jane.dcm")
    found = find_cases([patient / name for name in named])
    shown = [text for case in found.cases for text in (case.case_id, reported_input(case))]
    assert len(found.cases) == 4
    assert not any(word in text.lower() for text in shown for word in ("doe", "jane", "417", "1.2.826"))


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
def test_case_ids_are_file_names(tmp_path: Path, name: str, case_id: str) -> None:
    touch(tmp_path / name)
    assert ids([tmp_path / name]) == [(case_id, "picture")]


def test_ids_differ_where_file_names_know_no_case(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "A.nii", tmp_path / "A.mha", tmp_path / "b" / "a.bmp")
    names = [case_id for case_id, _ in ids([tmp_path])]
    assert len({name.casefold() for name in names}) == 4


def test_rings_of_links_end_and_links_out_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "sub" / "a.png", tmp_path / "elsewhere" / "b.png", tmp_path / "c.png")
    (tmp_path / "in" / "sub" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "above").symlink_to(tmp_path)
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in" / "sub")
    (tmp_path / "in" / "gone.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    cases = find_cases([tmp_path / "in"]).cases
    usable = [case.case_id for case in cases if case.kind != "unusable"]
    assert sorted(usable) == ["a", "b"]
    assert {case.case_id for case in cases} - {"a", "b"} == {"gone", "self"}
    assert all("leads nowhere" in case.problem for case in cases if case.kind == "unusable")


def test_real_series_as_a_tree(real_data: Path, tmp_path: Path) -> None:
    found = find_cases([real_data / "dicom"])
    whole = {len(case.image): case.input.name for case in found.cases if len(case.image) > 2}
    assert whole == {20: "abdomen_jpeg2000", 60: "image", 64: "chest_A0001"}
    assert {each.reason.split(",")[0] for each in found.passed_over} == {
        "Orientation is coronal",
        "Orientation is sagittal",
    }
    assert found.ignored == 1  # the structure set
    path = zipped(tmp_path / "cohort.zip", real_data / "dicom" / "chest_ibsi_rtstruct")
    (case,) = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert len(case.image) == 60
    assert case.input == path / "image"


def test_control_characters_in_the_names_of_missing_files_are_not_shown() -> None:
    text = absent_files(["IM\x95\x1b0001"])
    assert text.isprintable()
    assert "(IM??0001)" in text
