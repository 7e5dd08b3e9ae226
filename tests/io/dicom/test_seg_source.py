"""DICOM SEG of odd sources: headers that are repaired, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.tag import Tag

from s3net_monai.io import FORMATS, CaseError, Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_seg_writing import TYPES, Maker, write
from tests.helpers.dicom_tools import (
    OBLIQUE,
    dciodvfy_errors,
    foreground_positions,
    make_vl_image,
    read_with_dcmqi,
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


INVALID_KEYS: dict[str, tuple[str, ...]] = {
    "TM of one digit": ("StudyTime",),
    "dates of an old standard": ("StudyDate", "StudyTime", "PatientBirthDate"),
    "30 February": ("StudyDate",),
    "sex in words": ("PatientSex",),
    "overlong": ("PatientName", "PatientID", "AccessionNumber", "StudyID"),
    "many name parts": ("PatientName",),
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
    # Keys by which archives file the mask are repeated as they are.
    tags = [Tag(keyword) for keyword in INVALID_KEYS.get(name, ())]
    invalid_keys = [f"(0x{tag.group:04x},0x{tag.element:04x})" for tag in tags]
    errors = dciodvfy_errors(path)
    if name not in INVALID_KEYS:
        assert errors == []
    for error in errors:
        is_summary = "invalid data values for Value Representations" in error
        is_sex = name == "sex in words" and "value <female>" in error
        assert is_summary or is_sex or any(key in error for key in invalid_keys), error
    expected = foreground_positions(blob, load_series([folder]).affine)
    assert foreground_positions(*read_with_highdicom(path)) == expected
    seg = dcmread(path)
    assert seg.StudyInstanceUID == maker.slices[0].StudyInstanceUID
    if name == "name in three scripts":
        assert seg.PatientName == ODD[name]["PatientName"]
    for keyword in INVALID_KEYS.get(name, ()):
        assert str(seg.get(keyword)) == ODD[name][keyword]
    warnings = key_lines("dicomseg", _mask(blob, folder), path)
    assert len(warnings) == (name in INVALID_KEYS)
    assert all(keyword in warnings[0] for keyword in INVALID_KEYS.get(name, ()))
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


def key_lines(format_name: str, mask: Mask, path: Path) -> list[str]:
    """The warnings about matching keys."""
    return [line for line in FORMATS[format_name].warnings(mask, path) if line.startswith("DICOM SEG: ")]


def _mask(array: np.ndarray, source: Path) -> Mask:
    return Mask(
        array=array,
        affine=np.eye(4),
        source=(source,),
        labels=TASKS["lung"].labels,
        model_name="toy",
        model_version="1.2.3",
    )


def test_source_must_be_dicom(blob: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"")
    with pytest.raises(CaseError, match="needs a DICOM series"):
        write_mask(_mask(blob, tmp_path / "a.nii.gz"), tmp_path, case_id="a", format_name="dicomseg")


KEYS: dict[str, Any] = {
    "PatientID": "1" * 80,
    "IssuerOfPatientID": "hospital " * 9,
    "PatientName": "Doe^Jane^von^und^zu^more",
    "PatientBirthDate": "1950",
    "StudyDate": "01.02.2020",
    "StudyID": "2" * 20,
    "AccessionNumber": "A" * 17,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("kind", ["series", "VL image"])
def test_keys_of_an_archive_are_those_of_the_source(
    series_maker: Maker, blob: np.ndarray, tmp_path: Path, kind: str, format_name: str
) -> None:
    from pydicom import config

    maker = series_maker(np.full((5, 4, 6), 7, np.uint16))
    for dataset in maker.slices:
        for keyword, value in KEYS.items():
            dataset.add(DataElement(Tag(keyword), dictionary_VR(keyword), value, validation_mode=config.IGNORE))
    if kind == "VL image":
        maker.slices = [make_vl_image(dataset) for dataset in maker.slices[:1]]
        blob = blob[:, :, 0]
    with config.disable_value_validation():
        folder = maker.save(tmp_path / "images")
    source = next(folder.iterdir())
    path = write_mask(
        _mask(blob, source if kind == "VL image" else folder), tmp_path, case_id="a", format_name=format_name
    )
    seg, image = dcmread(path), dcmread(source)
    for keyword, value in KEYS.items():
        assert str(seg.get(keyword)) == str(image.get(keyword)) == value.strip(), keyword
    (warning,) = key_lines(format_name, _mask(blob, folder), path)
    assert warning.startswith(
        "DICOM SEG: PatientName, PatientID, IssuerOfPatientID, PatientBirthDate, StudyDate, StudyID,"
    )
    assert "Doe" not in warning


@pytest.mark.filterwarnings("ignore")
def test_several_values_of_a_key_stay(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    for dataset in maker.slices:
        dataset.PatientID = "ward\\17"  # a backslash separates values
    path = write(blob, maker.save(tmp_path / "ct"), tmp_path)
    assert dcmread(path).PatientID == ["ward", "17"]
    (warning,) = key_lines("dicomseg", _mask(blob, tmp_path / "ct"), path)
    assert warning.startswith("DICOM SEG: PatientID of the images break the standard")


@pytest.mark.filterwarnings("ignore")
def test_undecodable_name_is_a_warning(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    for dataset in maker.slices:
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", "Müller^A"
    folder = maker.save(tmp_path / "ct")
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace("Müller^A".encode(), "Müller^AB".encode("latin-1")))
    path = write(blob, folder, tmp_path)
    (warning,) = key_lines("dicomseg", _mask(blob, folder), path)
    assert warning == (
        "DICOM SEG: PatientName of the images cannot be decoded and differ in the mask; check where an archive files it"
    )


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize(
    ("tags", "thickness"), [({}, 5.0), ({"SliceThickness": 2.5}, 2.5), ({"SliceThickness": None}, 1)]
)
def test_single_slice_keeps_its_thickness(
    series_maker: Maker, tmp_path: Path, format_name: str, tags: dict[str, Any], thickness: float
) -> None:
    maker = series_maker(np.full((1, 4, 6), 7, np.uint16), step=5.0, orientation=OBLIQUE)
    for keyword, value in tags.items():
        setattr(maker.slices[0], keyword, value) if value else delattr(maker.slices[0], keyword)
    folder = maker.save(tmp_path / "ct")
    array = np.ones((6, 4, 1), np.uint8)
    path = write(array, folder, tmp_path, format_name)
    for index, (_, affine) in enumerate((read_with_highdicom(path), read_with_dcmqi(path, tmp_path / "dcmqi"))):
        lengths = sorted(np.linalg.norm(affine[:3, :3], axis=0))
        np.testing.assert_allclose(lengths, sorted([1.0, 1.0, thickness]), atol=1e-6, err_msg=str(index))
    assert float(dcmread(path).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness) == thickness
    series = load_series([folder])
    assert np.linalg.norm(series.affine[:3, 2]) == pytest.approx(thickness)
    assert series.notes == (
        ()
        if tags.get("SliceThickness", 5)
        else (
            "00000.dcm: a single slice without SliceThickness; volumes in ml are of 1 mm, which says nothing about the "
            "patient",
        )
    )


def test_spacing_stands_in_for_a_missing_thickness(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.full((1, 4, 6), 7, np.uint16))
    maker.slices[0].SliceThickness, maker.slices[0].SpacingBetweenSlices = 0, 3.5
    series = load_series([maker.save(tmp_path)])
    assert np.linalg.norm(series.affine[:3, 2]) == pytest.approx(3.5)
    assert series.notes[0].endswith("volumes in ml are of 3.5 mm, its SpacingBetweenSlices")
