"""No identifier of a patient in the names and texts of cases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.identifiers import redact, reported_input
from tests.helpers.dicom_media import series
from tests.helpers.discovery_results import touch


def test_identifiers_are_in_no_name_and_no_text(tmp_path: Path) -> None:
    tags = {"PatientName": "Doe^Jane", "PatientID": "MRN417", "PatientBirthDate": "19700131"}
    patient = tmp_path / "DOE_JANE_1970-01-31"
    series(3, SeriesNumber=1, SeriesDescription="Thorax Doe", **tags).save(patient / "MRN417")
    series(2, SeriesNumber=2, SeriesDescription="Jane's head", **tags).save(patient / "doe")
    touch(patient / "jane.nii.gz", patient / "bad" / "mrn417.dcm")
    found = find_cases([tmp_path])
    shown = [text for each in found.excluded for text in asdict(each).values()]
    shown += [text for case in found.cases for text in (case.case_id, reported_input(case))]
    shown += [redact(text, case.identifiers) for case in found.cases for text in (case.selection, case.problem)]
    assert len(found.cases) == 3
    assert len(found.excluded) == 1
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
