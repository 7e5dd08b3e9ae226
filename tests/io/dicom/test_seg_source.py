"""DICOM SEG of odd sources: headers that are repaired, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from s3net_monai.io import CaseError, Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_seg_writing import Maker, write
from tests.helpers.dicom_tools import (
    dciodvfy_errors,
    foreground_positions,
    read_with_highdicom,
)

BARE = dict.fromkeys(
    (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "StudyDate"),
        *("StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator", "FrameOfReferenceUID", "Manufacturer"),
        *("SeriesNumber", "SliceThickness"),
    )
)


ODD: dict[str, dict[str, Any]] = {
    "anonymized": BARE,
    "TM of one digit": {"StudyTime": "0", "AcquisitionTime": "0"},
    "dates of an old standard": {"StudyDate": "2020.01.01", "StudyTime": "12:30:00", "PatientBirthDate": "00000000"},
    "30 February": {"StudyDate": "20200230"},
    "sex in words": {"PatientSex": "female"},
    "age without unit": {"PatientAge": "58"},
    "overlong": {"PatientName": "x" * 100, "PatientID": "y" * 100, "AccessionNumber": "z" * 30, "StudyID": "1" * 30},
    "many name parts": {"PatientName": "a^b^c^d^e^f^g"},
    "name in three scripts": {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    },
    "unknown character set": {"SpecificCharacterSet": "KLINGON", "PatientName": "Doe^J"},
    "impossible weight": {"PatientWeight": "1e1000"},
    "negative series number": {"SeriesNumber": -5000},
    "huge series number": {"SeriesNumber": 2**31 - 1},
    "anonymized by an unknown method": {"PatientIdentityRemoved": "YES"},
    "lossy without ratio": {"LossyImageCompression": "01"},
    "spacing that is not the spacing": {"SpacingBetweenSlices": "17"},
    "scanner of two names": {"Manufacturer": ["a", "b"], "SoftwareVersions": ["1", "2"]},
}


@pytest.mark.filterwarnings("ignore")  # pydicom warns whoever writes such files
@pytest.mark.parametrize("name", ODD)
def test_odd_headers_are_repaired_or_left_out(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, name: str
) -> None:
    from pydicom import config

    maker = series_maker(stored_ramp)
    with config.disable_value_validation():
        for dataset in maker.slices:
            for keyword, value in ODD[name].items():
                if value is None:
                    delattr(dataset, keyword)
                else:
                    setattr(dataset, keyword, value)
        folder = maker.save(tmp_path / "ct")
    path = write(blob, folder, tmp_path)
    assert dciodvfy_errors(path) == []
    expected = foreground_positions(blob, load_series([folder]).affine)
    assert foreground_positions(*read_with_highdicom(path)) == expected
    seg = dcmread(path)
    assert seg.StudyInstanceUID == maker.slices[0].StudyInstanceUID
    if name == "name in three scripts":
        assert seg.PatientName == ODD[name]["PatientName"]
    if name == "anonymized":  # the same for every mask of a series, so that they overlap
        label_map = dcmread(write(blob, folder, tmp_path, "dicomseg-labelmap"))
        assert label_map.FrameOfReferenceUID == seg.FrameOfReferenceUID


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"StudyInstanceUID": ""}, "no StudyInstanceUID that a SEG could refer to"),
        ({"StudyInstanceUID": "study"}, "no StudyInstanceUID that a SEG could refer to"),
        ({"SeriesInstanceUID": ""}, "no SeriesInstanceUID that a SEG could refer to"),
        ({"SOPInstanceUID": "1.2.3.4"}, "two slices share a SOPInstanceUID"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_series_without_usable_uids_is_refused(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, tags: dict[str, str], reason: str
) -> None:
    from pydicom import config

    maker = series_maker(stored_ramp)
    with config.disable_value_validation():
        for dataset in maker.slices:
            for keyword, value in tags.items():
                setattr(dataset, keyword, value)
        folder = maker.save(tmp_path / "ct")
    with pytest.raises(CaseError, match=reason) as refusal:
        write(blob, folder, tmp_path)
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.glob("*.dcm"))


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "PatientID", "PatientName"])
def test_slices_of_two_studies_or_patients_are_refused(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, keyword: str
) -> None:
    maker = series_maker(stored_ramp)
    setattr(maker.slices[3], keyword, "1.2.345")
    folder = maker.save(tmp_path / "ct")
    with pytest.raises(CaseError, match=f"the slices have several {keyword}s") as refusal:
        write(blob, folder, tmp_path)
    assert "345" not in str(refusal.value)


@pytest.mark.filterwarnings("error")
def test_no_warning_names_the_patient(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    maker = series_maker(stored_ramp)
    for dataset in maker.slices:
        dataset.PatientName = "Somebody"  # one component: highdicom warns and quotes it
    folder = maker.save(tmp_path / "ct")
    assert dcmread(write(blob, folder, tmp_path)).PatientName == "Somebody"
    assert "Somebody" not in "".join(capfd.readouterr())


def test_source_must_be_dicom(blob: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"")
    mask = Mask(
        array=blob,
        affine=np.eye(4),
        source=(tmp_path / "a.nii.gz",),
        labels=TASKS["lung"].labels,
        model_name="toy",
        model_version="1.2.3",
    )
    with pytest.raises(CaseError, match="needs a DICOM series"):
        write_mask(mask, tmp_path, case_id="a", format_name="dicomseg")
