"""DICOM SEG: valid, and read back by others with every voxel where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_tools import (
    DERMOSCOPY,
    SECONDARY_CAPTURE,
    SERIES,
    dciodvfy_errors,
    photograph,
    places,
    read_with_dcmqi,
    read_with_highdicom,
)
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from s3net_monai.io import LABELS, CaseError, Mask, write_mask
from s3net_monai.io.dicom_series import load_series

Maker = Callable[..., Any]
TYPES = ["dicomseg", "dicomseg-labelmap"]


@pytest.fixture
def blob() -> np.ndarray:
    """(6, 4, 5) without any symmetry, its second slice empty."""
    array = (np.random.default_rng(0).random((6, 4, 5)) > 0.6).astype(np.uint8)
    array[:, :, 1] = 0
    return array


def write(array: np.ndarray, source: Path, folder: Path, format_name: str = "dicomseg", **fields: Any) -> Path:
    series = load_series([source], fields.get("allow", ()))
    mask = Mask(array, series.affine, (source,), LABELS["lung"], "toy", "1.2.3", **fields)
    return write_mask(mask, folder, "case", format_name)


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("geometry", SERIES)
def test_three_readers_find_every_voxel_in_its_place(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str, format_name: str
) -> None:
    folder = series_maker(stored_ramp, **SERIES[geometry]).save(tmp_path / "ct")
    path = write(blob, folder, tmp_path, format_name)
    expected = places(blob, load_series([folder]).affine)
    assert places(*read_with_highdicom(path)) == expected
    assert places(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
    assert voxels_of_frames(path) == expected
    if format_name == "dicomseg":  # the validator is older than LABELMAP
        assert dciodvfy_errors(path) == []


def test_dcmqi_reads_name_colour_and_codes(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    read_with_dcmqi(write(blob, series_maker(stored_ramp).save(tmp_path / "ct"), tmp_path), tmp_path / "dcmqi")
    (file,) = (tmp_path / "dcmqi").glob("*.json")
    ((segment,),) = json.loads(file.read_text())["segmentAttributes"]
    assert (segment["SegmentLabel"], segment["labelID"]) == ("lung", 1)
    assert segment["recommendedDisplayRGBValue"] == list(LABELS["lung"][0].rgb)
    assert segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "39607008"


def voxels_of_frames(path: Path) -> set[tuple[float, ...]]:
    """RAS positions of all foreground voxels of a SEG, from its frames' own geometry."""
    seg = dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_spacing, column_spacing = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = set()
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for y, x in np.argwhere(frame):
            lps = origin + row * column_spacing * x + column * row_spacing * y
            found.add(tuple(np.round(lps * [-1, -1, 1], 2) + 0.0))
    return found


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("slices", [1, 5])
def test_a_single_frame_with_foreground(
    series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path, slices: int, format_name: str
) -> None:
    folder = series_maker(stored_ramp[:slices]).save(tmp_path / "ct")
    array = np.zeros((6, 4, slices), dtype=np.uint8)
    array[4, 1:3, slices // 2] = 1
    path = write(array, folder, tmp_path, format_name)
    expected = places(array, load_series([folder]).affine)
    assert voxels_of_frames(path) == expected
    assert places(*read_with_highdicom(path)) == expected
    assert places(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("format_name", TYPES)
def test_empty_mask_is_written_with_all_its_frames(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, format_name: str
) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    path = write(np.zeros_like(blob), folder, tmp_path, format_name)
    seg = dcmread(path)
    assert seg.NumberOfFrames == 5
    assert not seg.pixel_array.any()
    assert "lung" in [segment.SegmentLabel for segment in seg.SegmentSequence]
    for array, affine in (read_with_highdicom(path), read_with_dcmqi(path, tmp_path / "dcmqi")):
        assert array.shape == (6, 4, 5)[:: 1 if affine[0, 0] else -1]
        assert not array.any()
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("format_name", TYPES)
def test_it_says_what_it_is(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, format_name: str
) -> None:
    maker = series_maker(stored_ramp)
    seg = dcmread(write(blob, maker.save(tmp_path / "ct"), tmp_path, format_name))
    source = maker.slices[0]
    assert seg.SegmentationType == ("BINARY" if format_name == "dicomseg" else "LABELMAP")
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert seg.SeriesDescription == "S3-Net segmentation: lung"
    assert (seg.ContentLabel, seg.ContentDescription, seg.ContentCreatorName) == ("SEGMENTATION", "S3-Net: lung", "")
    segment = seg.SegmentSequence[-1]  # LABELMAP describes the background first
    assert segment.SegmentLabel == "lung"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("toy", "1.2.3")
    if format_name == "dicomseg":
        assert len(segment.RecommendedDisplayCIELabValue) == 3
    scanner, own, _ = seg.ContributingEquipmentSequence
    assert (scanner.Manufacturer, own.Manufacturer, own.ManufacturerModelName) == ("test", "s3net_monai", "toy")


def test_every_frame_refers_to_the_slice_that_it_lies_on(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    seg = dcmread(write(blob, maker.save(tmp_path / "ct"), tmp_path))
    referred = seg.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == maker.slices[0].SeriesInstanceUID
    at = {str(source.SOPInstanceUID): list(source.ImagePositionPatient) for source in maker.slices}
    assert {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence} == set(at)
    assert len(seg.PerFrameFunctionalGroupsSequence) == 4  # the empty slice is left out
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert groups.PlanePositionSequence[0].ImagePositionPatient == at[source.ReferencedSOPInstanceUID]


def test_dates_are_of_the_writing_and_not_before_the_study(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    seg = dcmread(write(blob, series_maker(stored_ramp).save(tmp_path / "ct"), tmp_path))
    assert (seg.StudyDate, seg.StudyTime) == ("20200101", "120000")
    assert (seg.SeriesDate, seg.SeriesTime) == (seg.ContentDate, seg.ContentTime)
    assert seg.StudyDate < seg.SeriesDate <= seg.InstanceCreationDate


BARE = dict.fromkeys(
    (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "StudyDate"),
        *("StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator", "FrameOfReferenceUID", "Manufacturer"),
        *("SeriesNumber", "SliceThickness"),
    )
)
ODD: dict[str, dict[str, Any]] = {
    "anonymised": BARE,
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
    "weight of nobody": {"PatientWeight": "1e1000"},
    "negative series number": {"SeriesNumber": -5000},
    "huge series number": {"SeriesNumber": 2**31 - 1},
    "anonymised by nobody knows": {"PatientIdentityRemoved": "YES"},
    "lossy without ratio": {"LossyImageCompression": "01"},
    "spacing that is not the spacing": {"SpacingBetweenSlices": "17"},
    "scanner of two names": {"Manufacturer": ["a", "b"], "SoftwareVersions": ["1", "2"]},
}


@pytest.mark.filterwarnings("ignore")  # the makers of such files are told so by pydicom
@pytest.mark.parametrize("name", ODD)
def test_odd_headers_are_mended_or_left_out(
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
    expected = places(blob, load_series([folder]).affine)
    assert places(*read_with_highdicom(path)) == expected
    seg = dcmread(path)
    assert seg.StudyInstanceUID == maker.slices[0].StudyInstanceUID
    if name == "name in three scripts":
        assert seg.PatientName == ODD[name]["PatientName"]
    if name == "anonymised":  # the same for every mask of a series, so that they lie together
        again = dcmread(write(blob, folder, tmp_path, "dicomseg-labelmap"))
        assert again.FrameOfReferenceUID == seg.FrameOfReferenceUID


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
def test_a_series_that_cannot_be_referred_to_is_refused_in_one_line(
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
def test_the_patient_is_named_in_no_warning(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    maker = series_maker(stored_ramp)
    for dataset in maker.slices:
        dataset.PatientName = "Somebody"  # one component: highdicom warns and quotes it
    folder = maker.save(tmp_path / "ct")
    assert dcmread(write(blob, folder, tmp_path)).PatientName == "Somebody"
    assert "Somebody" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("format_name", TYPES)
def test_frames_lie_on_the_slices_that_are_there(series_maker: Maker, tmp_path: Path, format_name: str) -> None:
    maker = series_maker(np.zeros((8, 4, 6), dtype=np.uint16))
    del maker.slices[3]
    folder = maker.save(tmp_path / "ct")
    array = np.zeros((6, 4, 8), dtype=np.uint8)
    array[1:4, 2, 1:6] = 1  # slice 3 of the mask was interpolated, and has no source
    path = write(array, folder, tmp_path, format_name, allow=("missing-slices",))
    array[:, :, 3] = 0
    affine = load_series([folder], ("missing-slices",)).affine
    assert voxels_of_frames(path) == places(array, affine)
    assert places(*read_with_dcmqi(path, tmp_path / "dcmqi")) == places(array, affine)
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []


def test_frames_of_a_tilted_gantry_lie_on_its_slices(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((5, 6, 6), dtype=np.uint16))
    for index, dataset in enumerate(maker.slices):
        x, y, z = map(float, dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + index * 0.5, z]  # 14 degrees
    folder = maker.save(tmp_path / "ct")
    series = load_series([folder], ("tilt",))
    array = np.zeros(series.array.shape, dtype=np.uint8)
    array[2:4, 3:5, 1:4] = 1
    path = write(array, folder, tmp_path, allow=("tilt",))
    assert dciodvfy_errors(path) == []
    lateral = {(x, z) for x, _, z in places(array, series.affine)}
    found = voxels_of_frames(path)
    assert {(x, z) for x, _, z in found} == lateral
    # Every voxel of a frame is the mask's nearest one, at most half a pixel off along the shear.
    centre = np.mean(sorted(places(array, series.affine)), axis=0)
    assert np.abs(np.mean(sorted(found), axis=0) - centre).max() <= 0.5
    positions = {tuple(dataset.ImagePositionPatient) for dataset in maker.slices}
    for groups in dcmread(path).PerFrameFunctionalGroupsSequence:
        assert tuple(groups.PlanePositionSequence[0].ImagePositionPatient) in positions


def test_it_needs_a_dicom_source(blob: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"")
    mask = Mask(blob, np.eye(4), (tmp_path / "a.nii.gz",), LABELS["lung"], "toy", "1.2.3")
    with pytest.raises(CaseError, match="needs a DICOM series"):
        write_mask(mask, tmp_path, "a", "dicomseg")


@pytest.mark.parametrize("name", ["chest_A0001", "chest_ibsi_rtstruct/image"])
def test_real_series_and_back(real_data: Path, tmp_path: Path, name: str) -> None:
    folder = real_data / "dicom" / name
    series = load_series([folder])
    array = (series.array < -500).astype(np.uint8)
    path = write(array, folder, tmp_path)
    assert dciodvfy_errors(path) == []
    for found, affine in (read_with_dcmqi(path, tmp_path / "dcmqi"), read_with_highdicom(path)):
        _assert_same_volume(found, affine, array, series.affine)


@pytest.mark.filterwarnings("ignore")
def test_real_compressed_series(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "dicom" / "abdomen_jpeg2000"
    array = (load_series([source]).array > 100).astype(np.uint8)
    with pytest.raises(CaseError, match="no StudyInstanceUID"):  # stripped by whoever anonymised it
        write(array, source, tmp_path)

    study, series_uid = generate_uid(), generate_uid()
    (tmp_path / "ct").mkdir()
    for file in source.iterdir():
        dataset = dcmread(file)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series_uid
        dataset.save_as(tmp_path / "ct" / file.name)
    path = write(array, tmp_path / "ct", tmp_path)
    assert dciodvfy_errors(path) == []
    _assert_same_volume(*read_with_dcmqi(path, tmp_path / "dcmqi"), array, load_series([source]).affine)


def _assert_same_volume(found: np.ndarray, affine: np.ndarray, array: np.ndarray, expected: np.ndarray) -> None:
    """Every voxel of ``array`` is that of ``found`` which lies at the same place, and nothing else is foreground."""
    back = np.linalg.inv(affine) @ expected
    indices = np.argwhere(array)
    moved = np.c_[indices, np.ones(len(indices))] @ back.T
    nearest = np.rint(moved[:, :3]).astype(int)
    assert np.abs(moved[:, :3] - nearest).max() < 0.01
    assert found[tuple(nearest.T)].all()
    assert np.count_nonzero(found) == len(indices)


def multi_frame(maker: Any, order: list[int]) -> Dataset:
    """An enhanced object of the maker's slices, its frames in ``order``."""
    import highdicom as hd

    for dataset in maker.slices:
        dataset.AcquisitionNumber, dataset.PatientPosition, dataset.KVP, dataset.ConvolutionKernel = 1, "HFS", 120, ""
        dataset.AcquisitionDate, dataset.AcquisitionTime = "20200101", "120000"
    enhanced = hd.legacy.LegacyConvertedEnhancedCTImage(
        maker.slices, generate_uid(), series_number=9, sop_instance_uid=generate_uid(), instance_number=1
    )
    groups, pixels = list(enhanced.PerFrameFunctionalGroupsSequence), enhanced.pixel_array
    enhanced.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
    enhanced.PixelData = pixels[order].tobytes()
    return enhanced


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("geometry", ["axial", "oblique coronal"])
def test_frames_refer_to_the_frames_of_an_enhanced_object(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str, format_name: str
) -> None:
    enhanced = multi_frame(series_maker(stored_ramp, **SERIES[geometry]), [3, 1, 0, 4, 2])
    enhanced.save_as(tmp_path / "enhanced.dcm")
    path = write(blob, tmp_path / "enhanced.dcm", tmp_path, format_name)
    expected = places(blob, load_series([tmp_path / "enhanced.dcm"]).affine)
    assert places(*read_with_highdicom(path)) == expected
    assert places(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []
    seg = dcmread(path)
    assert len(seg.PerFrameFunctionalGroupsSequence) == 4  # the empty slice is left out
    for groups in seg.PerFrameFunctionalGroupsSequence:
        referred = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert referred.ReferencedSOPInstanceUID == enhanced.SOPInstanceUID
        source = enhanced.PerFrameFunctionalGroupsSequence[referred.ReferencedFrameNumber - 1]
        assert np.allclose(
            groups.PlanePositionSequence[0].ImagePositionPatient, source.PlanePositionSequence[0].ImagePositionPatient
        )


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("empty", [False, True], ids=["lesion", "empty"])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"SOPClassUID": DERMOSCOPY},
        {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT"},
        {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12", "PixelSpacing": ["0.1", "0.1"]},
        {"PatientOrientation": ["L", "F"], "FrameOfReferenceUID": "1.2.3"},
    ],
    ids=["photograph", "dermoscopy", "secondary capture", "lossy, with spacing", "with orientation"],
)
def test_mask_of_a_photograph(
    series_maker: Maker, tmp_path: Path, tags: dict[str, Any], empty: bool, format_name: str
) -> None:
    dataset = photograph(series_maker(np.zeros((1, 4, 6), dtype=np.uint16)).slices[0], **tags)
    dataset.save_as(tmp_path / "picture.dcm", enforce_file_format=True)
    array = np.zeros((6, 4), dtype=np.uint8)
    array[5, 1:3] = 0 if empty else 1
    mask = Mask(array, np.eye(4), (tmp_path / "picture.dcm",), LABELS["skin"], "toy", "1.2.3")
    path = write_mask(mask, tmp_path, "case", format_name)
    seg = dcmread(path)
    assert seg.pixel_array.tolist() == array.T.tolist()
    assert "FrameOfReferenceUID" not in seg
    assert seg.StudyInstanceUID == dataset.StudyInstanceUID
    assert seg.SourceImageSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert seg.SegmentSequence[-1].SegmentedPropertyTypeCodeSequence[0].CodeValue == "95324001"
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []
