"""DICOM SEG: valid, and read back by other libraries with every voxel at its position."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_seg_writing import TYPES, Maker, write
from tests.helpers.dicom_tools import (
    SERIES,
    dciodvfy_errors,
    foreground_positions,
    read_with_dcmqi,
    read_with_highdicom,
)


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("geometry", SERIES)
def test_three_readers_find_every_voxel_at_its_position(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str, format_name: str
) -> None:
    folder = series_maker(stored_ramp, **SERIES[geometry]).save(tmp_path / "ct")
    path = write(blob, folder, tmp_path, format_name)
    expected = foreground_positions(blob, load_series([folder]).affine)
    assert foreground_positions(*read_with_highdicom(path)) == expected
    assert foreground_positions(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
    assert voxels_of_frames(path) == expected
    if format_name == "dicomseg":  # the validator is older than LABELMAP
        assert dciodvfy_errors(path) == []


def test_dcmqi_reads_name_color_and_codes(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    read_with_dcmqi(write(blob, series_maker(stored_ramp).save(tmp_path / "ct"), tmp_path), tmp_path / "dcmqi")
    (file,) = (tmp_path / "dcmqi").glob("*.json")
    ((segment,),) = json.loads(file.read_text())["segmentAttributes"]
    assert (segment["SegmentLabel"], segment["labelID"]) == ("lung", 1)
    assert segment["recommendedDisplayRGBValue"] == list(TASKS["lung"].labels[0].rgb)
    assert segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "39607008"


def voxels_of_frames(path: Path) -> set[tuple[float, ...]]:
    """RAS positions of all foreground voxels of a SEG, from its frames' own geometry."""
    seg = dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_spacing, column_spacing = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    positions = set()
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for y, x in np.argwhere(frame):
            lps = origin + row * column_spacing * x + column * row_spacing * y
            positions.add(tuple(np.round(lps * [-1, -1, 1], 2) + 0.0))
    return positions


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("slices", [1, 5])
def test_a_single_frame_with_foreground(
    series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path, slices: int, format_name: str
) -> None:
    folder = series_maker(stored_ramp[:slices]).save(tmp_path / "ct")
    array = np.zeros((6, 4, slices), dtype=np.uint8)
    array[4, 1:3, slices // 2] = 1
    path = write(array, folder, tmp_path, format_name)
    expected = foreground_positions(array, load_series([folder]).affine)
    assert voxels_of_frames(path) == expected
    assert foreground_positions(*read_with_highdicom(path)) == expected
    assert foreground_positions(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
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
def test_attributes(
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
    segment = seg.SegmentSequence[0]
    assert segment.SegmentLabel == "lung"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("toy", "1.2.3")
    if format_name == "dicomseg":
        assert len(segment.RecommendedDisplayCIELabValue) == 3
    scanner, own, _ = seg.ContributingEquipmentSequence
    assert (scanner.Manufacturer, own.Manufacturer, own.ManufacturerModelName) == ("test", "s3net_monai", "toy")


def test_every_frame_refers_to_its_slice(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    seg = dcmread(write(blob, maker.save(tmp_path / "ct"), tmp_path))
    referred = seg.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == maker.slices[0].SeriesInstanceUID
    position_of = {str(source.SOPInstanceUID): list(source.ImagePositionPatient) for source in maker.slices}
    assert {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence} == set(position_of)
    assert len(seg.PerFrameFunctionalGroupsSequence) == 4  # the empty slice is left out
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert groups.PlanePositionSequence[0].ImagePositionPatient == position_of[source.ReferencedSOPInstanceUID]


def test_dates_are_those_of_writing(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    seg = dcmread(write(blob, series_maker(stored_ramp).save(tmp_path / "ct"), tmp_path))
    assert (seg.StudyDate, seg.StudyTime) == ("20200101", "120000")
    assert (seg.SeriesDate, seg.SeriesTime) == (seg.ContentDate, seg.ContentTime)
    assert seg.StudyDate < seg.SeriesDate <= seg.InstanceCreationDate


@pytest.mark.parametrize("format_name", TYPES)
def test_frames_lie_on_existing_slices(series_maker: Maker, tmp_path: Path, format_name: str) -> None:
    maker = series_maker(np.zeros((8, 4, 6), dtype=np.uint16))
    del maker.slices[3]
    folder = maker.save(tmp_path / "ct")
    array = np.zeros((6, 4, 8), dtype=np.uint8)
    array[1:4, 2, 1:6] = 1  # slice 3 of the mask was interpolated, and has no source
    path = write(array, folder, tmp_path, format_name, allow=("missing-slices",))
    array[:, :, 3] = 0
    affine = load_series([folder], ("missing-slices",)).affine
    assert voxels_of_frames(path) == foreground_positions(array, affine)
    assert foreground_positions(*read_with_dcmqi(path, tmp_path / "dcmqi")) == foreground_positions(array, affine)
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
    lateral = {(x, z) for x, _, z in foreground_positions(array, series.affine)}
    positions = voxels_of_frames(path)
    assert {(x, z) for x, _, z in positions} == lateral
    # Every voxel of a frame is the mask's nearest one, at most half a pixel off along the shear.
    center = np.mean(sorted(foreground_positions(array, series.affine)), axis=0)
    assert np.abs(np.mean(sorted(positions), axis=0) - center).max() <= 0.5
    origins = {tuple(dataset.ImagePositionPatient) for dataset in maker.slices}
    for groups in dcmread(path).PerFrameFunctionalGroupsSequence:
        assert tuple(groups.PlanePositionSequence[0].ImagePositionPatient) in origins


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chest_A0001", "chest_ibsi_rtstruct/image"])
def test_real_series_and_back(real_data: Path, tmp_path: Path, name: str) -> None:
    folder = real_data / "dicom" / name
    series = load_series([folder])
    array = (series.array < -500).astype(np.uint8)
    path = write(array, folder, tmp_path)
    assert dciodvfy_errors(path) == []
    for image, affine in (read_with_dcmqi(path, tmp_path / "dcmqi"), read_with_highdicom(path)):
        _assert_same_volume(image, affine, array, series.affine)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_real_compressed_series(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "dicom" / "abdomen_jpeg2000"
    array = (load_series([source]).array > 100).astype(np.uint8)
    with pytest.raises(CaseError, match="no StudyInstanceUID"):  # removed by the anonymizer
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


def _assert_same_volume(image: np.ndarray, affine: np.ndarray, array: np.ndarray, expected: np.ndarray) -> None:
    """Every foreground voxel of ``array`` is foreground at its position in ``image``, and no other voxel is."""
    to_image = np.linalg.inv(affine) @ expected
    indices = np.argwhere(array)
    indices_in_image = np.c_[indices, np.ones(len(indices))] @ to_image.T
    nearest = np.rint(indices_in_image[:, :3]).astype(int)
    assert np.abs(indices_in_image[:, :3] - nearest).max() < 0.01
    assert image[tuple(nearest.T)].all()
    assert np.count_nonzero(image) == len(indices)
