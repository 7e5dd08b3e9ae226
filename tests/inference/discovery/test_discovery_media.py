"""Cases in archives and on discs with a DICOMDIR, and messages about missing files."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from s3net_monai.inference import UsageError, find_cases
from s3net_monai.inference.discovery.dicom_cases import missing_files_problem
from s3net_monai.inference.discovery.identifiers import redact_message
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.dicom_media import series, write_media
from tests.helpers.discovery_results import described, touch, zipped


def test_archives_are_searched_like_folders(tmp_path: Path) -> None:
    series(3).save(tmp_path / "in" / "patient" / "ct")
    touch(tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "notes.txt")
    path = zipped(tmp_path / "study.zip", tmp_path / "in")
    discovery = find_cases([path], unpack_to=tmp_path / "unpacked")
    assert described(discovery) == [("a", "volume", 1), ("ct", "dicom_series", 3)]
    assert [case.input for case in discovery.cases] == [path / "a.nii.gz", path / "patient" / "ct"]
    assert all(file.is_file() for case in discovery.cases for file in case.image)
    assert discovery.ignored == 1


def test_nested_archives_are_a_failed_case(tmp_path: Path) -> None:
    series(3, PatientName="Doe^Jane").save(tmp_path / "in" / "ct")
    touch(tmp_path / "in" / "more.zip")
    path = zipped(tmp_path / "Doe.zip", tmp_path / "in")
    archived, failed = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert archived.kind == "dicom_series"
    assert failed.problem == "Doe.zip: archives in the archive are not opened (1); unpack it yourself"
    assert "Doe" not in failed.case_id + redact_message(failed.problem, failed, Pseudonyms())


def test_series_at_the_top_of_an_archive_gets_its_name(tmp_path: Path) -> None:
    series(3).save(tmp_path / "in")
    path = zipped(tmp_path / "study.zip", tmp_path / "in")
    (case,) = find_cases([path], unpack_to=tmp_path / "unpacked").cases
    assert (case.case_id, case.input) == ("study", path)


def test_bad_archive_is_one_failed_case(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.png", tmp_path / "in" / "bad.zip")
    with zipfile.ZipFile(tmp_path / "in" / "evil.zip", "w") as opened:
        opened.writestr("../../evil.png", b"")
    (tmp_path / "none").mkdir()
    zipped(tmp_path / "in" / "empty.zip", tmp_path / "none")
    discovery = find_cases([tmp_path / "in"], unpack_to=tmp_path / "unpacked")
    assert [(case.case_id, case.kind) for case in discovery.cases] == [
        ("a", "image_2d"),
        ("bad", "unusable"),
        ("empty", "unusable"),
        ("evil", "unusable"),
    ]
    assert "damaged archive" in discovery.cases[1].problem
    assert "no image found (it is empty)" in discovery.cases[2].problem
    assert "would leave the folder" in discovery.cases[3].problem
    assert "no folder to unpack it to" in find_cases([tmp_path / "in"]).cases[1].problem


def test_only_the_files_that_a_dicomdir_lists_are_read(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(5, SeriesNumber=1), series(3, SeriesNumber=2))
    series(9, "1.2.3.9").save(tmp_path / "cd" / "extra")
    discovery = find_cases([path])
    assert [(len(case.image), case.kind) for case in discovery.cases] == [(5, "dicom_series")]
    assert [(len(case.image), case.kind) for case in find_cases([tmp_path / "cd"]).cases] == [
        (5, "dicom_series"),
        (9, "dicom_series"),
    ]


@pytest.mark.parametrize("input_kind", ["folder", "file"])
def test_files_missing_from_a_disc_are_named(tmp_path: Path, input_kind: str) -> None:
    path = write_media(tmp_path / "cd", series(3, "1.2.3.1"), series(3, "1.2.3.2"), series(3, "1.2.3.3"))
    files = sorted((tmp_path / "cd").rglob("IM*"))
    for file in (files[0], *files[3:6]):
        file.unlink()
    discovery = find_cases([path if input_kind == "file" else tmp_path / "cd"])
    assert [case.kind for case in discovery.cases].count("dicom_series") == 1
    problems = sorted(case.problem for case in discovery.cases if case.kind == "unusable")
    assert len(problems) == 2
    assert "1 files that the DICOMDIR names are missing" in "".join(problems)
    assert problems[0].startswith("DICOMDIR: 3 files that the DICOMDIR names are missing (")


def test_damaged_dicomdir_does_not_hide_its_files(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(3))
    path.write_bytes(b"x")
    discovery = find_cases([tmp_path / "cd"])
    assert [(len(case.image), case.kind) for case in discovery.cases] == [(3, "dicom_series")]
    assert "not readable as DICOMDIR" in discovery.excluded[0].reason
    with pytest.raises(UsageError, match="not readable as DICOMDIR"):
        find_cases([path])


def test_copies_in_archives_and_on_discs_count_once(tmp_path: Path) -> None:
    maker = series(3)
    for name in ("a", "B"):
        maker.save(tmp_path / "in" / name)
    path = zipped(tmp_path / "study.zip", tmp_path / "in")
    disc = write_media(tmp_path / "cd", maker)
    shutil.copytree(tmp_path / "cd", tmp_path / "cd" / "BACKUP")
    for given in (path, disc, tmp_path / "cd"):
        discovery = find_cases([given], unpack_to=tmp_path / f"unpacked {given.name}")
        assert [(case.kind, len(case.image)) for case in discovery.cases] == [("dicom_series", 3)]


def test_control_characters_of_missing_files_are_not_shown() -> None:
    text = missing_files_problem(["IM\x95\x1b0001"])
    assert text.isprintable()
    assert r"(IM\x95\x1b0001)" in text
