"""Patient identifiers do not appear in the names and texts of cases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.cases import Discovery
from s3net_monai.inference.discovery.identifiers import redact_message, reported_input
from s3net_monai.inference.discovery.series_selection import Condition, Selection
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.dicom_media import make_vl_image, series, write_media
from tests.helpers.discovery_results import touch, zipped
from tests.helpers.identifying_headers import without_digests


def texts(discovery: Discovery) -> list[str]:
    """Everything that a report shows of what discovery found, without the digits of pseudonyms."""
    names = Pseudonyms()
    found = [text for one in discovery.excluded for text in asdict(one).values()]
    for case in discovery.cases:
        found += [case.case_id, reported_input(case, names)]
        found += [redact_message(text, case, names) for text in (case.selection, case.problem)]
    return [without_digests(text) for text in found]


def test_names_and_texts_contain_no_identifier(tmp_path: Path) -> None:
    tags = {"PatientName": "Doe^Jane", "PatientID": "MRN417", "PatientBirthDate": "19700131"}
    patient = tmp_path / "DOE_JANE_1970-01-31"
    series(3, SeriesNumber=1, SeriesDescription="Thorax Doe", **tags).save(patient / "MRN417")
    series(2, SeriesNumber=2, SeriesDescription="Jane's head", **tags).save(patient / "doe")
    touch(patient / "jane.nii.gz", patient / "bad" / "mrn417.dcm")
    discovery = find_cases([tmp_path])
    assert len(discovery.cases) == 3
    assert len(discovery.excluded) == 1
    words = ("doe", "jane", "417", "1970", "1.2.826", "thorax", "head")
    assert not any(word in text.lower() for text in texts(discovery) for word in words)
    second_run = find_cases([tmp_path])
    assert [case.case_id for case in second_run.cases] == [case.case_id for case in discovery.cases]
    with_identifiers = find_cases([tmp_path], keep_identifiers=True)
    assert {case.case_id for case in with_identifiers.cases} == {"jane", "bad_mrn417", "DOE_JANE_1970-01-31_MRN417"}
    assert not any(case.identifiers for case in with_identifiers.cases)


@pytest.mark.parametrize("inputs", [["."], ["nifti", "cut", "jane.nii.gz", "dicom"]], ids=["together", "apart"])
def test_headerless_files_hide_identifiers_of_other_cases(tmp_path: Path, inputs: list[str]) -> None:
    patient = tmp_path / "Doe_Jane"
    series(3, PatientName="Doe^Jane", PatientID="MRN417", PatientBirthDate="19700131").save(patient / "dicom")
    touch(patient / "jane.nii.gz", patient / "nifti" / "mrn417_31.1.70.nii.gz")
    touch(patient / "cut" / "1.2.826.0.1.7.9-jane.dcm")
    discovery = find_cases([patient / name for name in inputs])
    assert len(discovery.cases) == 4
    assert not any(
        word in text.lower() for text in texts(discovery) for word in ("doe", "jane", "417", "1.70", "1.2.826")
    )


def test_a_folder_may_be_named_after_a_value_of_another_series_or_of_a_report(tmp_path: Path) -> None:
    series(2, study="1.2.826.0.1.8", ReferringPhysicianName="Quax^Ute").save(tmp_path / "quax" / "one")
    series(2, study="1.2.826.0.1.9").save(tmp_path / "quax" / "two_xylofon")
    report = make_vl_image(PatientName="Xylofon^Udo")
    del report.Rows, report.Columns, report.PixelData
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.save_as(tmp_path / "quax" / "report.dcm", enforce_file_format=True)
    discovery = find_cases([tmp_path])
    assert len(discovery.cases) == 2
    assert not any(word in text.lower() for text in texts(discovery) for word in ("quax", "xylofon"))


def test_a_value_of_any_slice_counts_also_in_the_name_of_an_archive(tmp_path: Path) -> None:
    maker = series(5)
    maker.slices[3].AcquisitionTime = "101530.25"
    maker.slices[3].StationName = "KRUMPEL7"
    maker.slices[4].PatientName = "Quax^Ute"
    maker.save(tmp_path / "in" / "at_10-15-30")
    path = zipped(tmp_path / "krumpel7_ute", tmp_path / "in")
    discovery = find_cases([path], unpack_to=tmp_path / "unpacked")
    (case,) = discovery.cases
    assert not any(word in text.lower() for text in texts(discovery) for word in ("10-15", "krumpel", "ute"))
    assert case.case_id.startswith("at_anon-")


@pytest.mark.parametrize("count", [3, 30])
def test_the_name_of_one_slice_may_repeat_the_header_of_another_patient(tmp_path: Path, count: int) -> None:
    folder = series(count, study="1.2.826.0.1.8", PatientName="Doe^Jane").save(tmp_path / "a")
    series(2, study="1.2.826.0.1.9", PatientName="Quax^Ute", PatientID="MRN417").save(tmp_path / "b")
    sorted(folder.iterdir())[1].rename(folder / "quax_mrn417.dcm")
    case = find_cases([tmp_path]).cases[0]
    assert len(case.image) == count
    shown = without_digests(redact_message("quax_mrn417.dcm: truncated; copy the file again", case, Pseudonyms()))
    assert not any(word in shown for word in ("quax", "417"))


def test_values_of_a_dicomdir_count(tmp_path: Path) -> None:
    disc = write_media(tmp_path / "quax_ute", series(3, PatientName="Quax^Ute", PatientID="MRN417"))
    for file in [path for path in disc.parent.rglob("*") if path.is_file() and path != disc]:
        file.unlink()
    touch(tmp_path / "other.png")
    discovery = find_cases([disc, tmp_path / "other.png"])
    assert "are missing" in discovery.cases[0].problem
    assert not any(word in text.lower() for text in texts(discovery) for word in ("quax", "ute", "417"))


def test_a_series_is_described_by_codes_and_numbers(tmp_path: Path) -> None:
    tags = {"StudyDescription": "Thorax Quax", "ProtocolName": "lungs of Ute"}
    series(3, SeriesNumber=4, SeriesDescription="lungs of Ute", SliceThickness=2.5, **tags).save(tmp_path / "a")
    series(2, SeriesNumber=5, SeriesDescription="neck of Ute", **tags).save(tmp_path / "b")
    discovery = find_cases([tmp_path])
    (case,), (excluded,) = discovery.cases, discovery.excluded
    assert case.selection.startswith("series 4 (CT, axial, 2.5 mm) of 3 slices, selected from 2 series")
    assert excluded.series == "series 5 (CT, axial, 2 mm) of 2 slices"


@pytest.mark.parametrize(
    ("keyword", "test", "expected"),
    [
        ("SeriesDescription", "regex", "(?i)thorax"),
        ("PatientID", "equals", "MRN417"),
        ("StudyDate", "in", ["20240131"]),
    ],
)
def test_rules_match_identifying_values_and_do_not_quote_them(
    tmp_path: Path, keyword: str, test: str, expected: Any
) -> None:
    rules = Selection((Condition(keyword, test, expected),), "all", "rules.json")
    value = {"SeriesDescription": "CT Thorax", "PatientID": "MRN417", "StudyDate": "20240131"}[keyword]
    series(2, SeriesNumber=1, **{keyword: value}).save(tmp_path / "a")
    series(2, SeriesNumber=2, **{keyword: "20240203"}).save(tmp_path / "b")
    discovery = find_cases([tmp_path], rules=rules)
    assert [case.input.name for case in discovery.cases] == ["a"]
    assert [one.reason for one in discovery.excluded] == [f"{keyword} does not meet the rule '{test}'"]


NASTY = {
    "StationName": "series",
    "InstitutionName": "image",
    "InstitutionalDepartmentName": "missing",
    "StudyID": "1",
    "PatientID": "7",
    "PatientName": "Slice^Found",
    "AdmissionID": "999",
}


def test_the_words_of_messages_are_kept_whatever_a_header_says(tmp_path: Path) -> None:
    maker = series(4, **NASTY)
    series(2, SeriesNumber=1, study="1.2.826.0.1.1", **NASTY).save(tmp_path / "slice_found" / "series")
    maker.save(tmp_path / "slice_found" / "image")
    discovery = find_cases([tmp_path])
    (case,), (excluded,) = discovery.cases, discovery.excluded
    names = Pseudonyms()
    shown = redact_message(case.selection, case, names)
    assert shown == (
        "series 3 (CT, axial, 2 mm) of 4 slices, selected from 2 series of its study: satisfies 'primary axial CT'"
    )
    assert excluded.reason == "2 slices, the selected series has 4"
    message = "slice_found: missing slice between 1 and 3, 4 images of 999 found in missing; SliceThickness 7 mm"
    redacted = redact_message(message, case, names)
    assert redacted.startswith("anon-")
    assert redacted.endswith(": missing slice between 1 and 3, 4 images of 999 found in missing; SliceThickness 7 mm")
    assert reported_input(case, names).endswith("/image")


def test_a_case_without_identifiers_needs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    touch(tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "b.png")
    series(2, PatientName="Doe^Jane").save(tmp_path / "in" / "c")
    assert [case.case_id for case in find_cases([tmp_path / "in"]).cases] == ["a", "b", "c"]
    assert not (tmp_path / "state").exists()


def test_a_damaged_header_still_hides_its_values(tmp_path: Path) -> None:
    dataset: Dataset = series(1, PatientName="Doe^Jane").slices[0]
    (tmp_path / "doe").mkdir()
    dataset.save_as(tmp_path / "doe" / "jane.dcm", enforce_file_format=True)
    data = (tmp_path / "doe" / "jane.dcm").read_bytes()
    at = data.index(b"\x28\x00\x10\x00US")  # Rows
    (tmp_path / "doe" / "jane.dcm").write_bytes(data[:at])
    discovery = find_cases([tmp_path])
    assert not any(word in text.lower() for text in texts(discovery) for word in ("doe", "jane"))
