"""Archives and media: what is found in them, and what is said of what is not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from s3net_monai.inference import UsageError, find_cases
from s3net_monai.inference.discovery.dicom_cases import absent_files
from s3net_monai.inference.discovery.identifiers import redact
from tests.helpers.dicom_media import series, write_media
from tests.helpers.discovery_results import described, touch, zipped


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
    path = write_media(tmp_path / "cd", series(5, SeriesNumber=1), series(3, SeriesNumber=2))
    series(9, "1.2.3.9").save(tmp_path / "cd" / "extra")
    found = find_cases([path])
    assert [(len(case.image), case.kind) for case in found.cases] == [(5, "dicom")]
    assert [(len(case.image), case.kind) for case in find_cases([tmp_path / "cd"]).cases] == [
        (5, "dicom"),
        (9, "dicom"),
    ]


@pytest.mark.parametrize("named", ["folder", "file"])
def test_files_missing_from_a_medium_are_named(tmp_path: Path, named: str) -> None:
    path = write_media(tmp_path / "cd", series(3, "1.2.3.1"), series(3, "1.2.3.2"), series(3, "1.2.3.3"))
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
    path = write_media(tmp_path / "cd", series(3))
    path.write_bytes(b"x")
    found = find_cases([tmp_path / "cd"])
    assert [(len(case.image), case.kind) for case in found.cases] == [(3, "dicom")]
    assert "not readable as DICOMDIR" in found.excluded[0].reason
    with pytest.raises(UsageError, match="not readable as DICOMDIR"):
        find_cases([path])


def test_control_characters_in_the_names_of_missing_files_are_not_shown() -> None:
    text = absent_files(["IM\x95\x1b0001"])
    assert text.isprintable()
    assert "(IM??0001)" in text
