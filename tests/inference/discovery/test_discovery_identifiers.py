"""Patient identifiers do not appear in the names and texts of cases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.identifiers import redact, reported_input
from tests.helpers.dicom_media import series
from tests.helpers.discovery_results import touch


def test_names_and_texts_contain_no_identifier(tmp_path: Path) -> None:
    tags = {"PatientName": "Doe^Jane", "PatientID": "MRN417", "PatientBirthDate": "19700131"}
    patient = tmp_path / "DOE_JANE_1970-01-31"
    series(3, SeriesNumber=1, SeriesDescription="Thorax Doe", **tags).save(patient / "MRN417")
    series(2, SeriesNumber=2, SeriesDescription="Jane's head", **tags).save(patient / "doe")
    touch(patient / "jane.nii.gz", patient / "bad" / "mrn417.dcm")
    discovery = find_cases([tmp_path])
    texts = [text for series_ in discovery.excluded for text in asdict(series_).values()]
    texts += [text for case in discovery.cases for text in (case.case_id, reported_input(case))]
    texts += [redact(text, case.identifiers) for case in discovery.cases for text in (case.selection, case.problem)]
    assert len(discovery.cases) == 3
    assert len(discovery.excluded) == 1
    assert not any(word in text.lower() for text in texts for word in ("doe", "jane", "417", "1970", "1.2.826"))
    second_run = find_cases([tmp_path])
    assert [case.case_id for case in second_run.cases] == [case.case_id for case in discovery.cases]
    with_identifiers = find_cases([tmp_path], keep_identifiers=True)
    assert {case.case_id for case in with_identifiers.cases} == {"jane", "bad_mrn417", "DOE_JANE_1970-01-31_MRN417"}
    assert not any(case.identifiers for case in with_identifiers.cases)


@pytest.mark.parametrize("inputs", [["."], ["nifti", "cut", "jane.nii.gz", "dicom"]], ids=["together", "apart"])
def test_headerless_files_hide_identifiers_of_other_cases(tmp_path: Path, inputs: list[str]) -> None:
    patient = tmp_path / "Doe_Jane"
    series(3, PatientName="Doe^Jane", PatientID="MRN417").save(patient / "dicom")
    touch(patient / "jane.nii.gz", patient / "nifti" / "mrn417.nii.gz", patient / "cut" / "1.2.826.0.1.7.9-jane.dcm")
    discovery = find_cases([patient / name for name in inputs])
    texts = [text for case in discovery.cases for text in (case.case_id, reported_input(case))]
    assert len(discovery.cases) == 4
    assert not any(word in text.lower() for text in texts for word in ("doe", "jane", "417", "1.2.826"))
