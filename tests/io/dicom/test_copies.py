"""Copies of one file count once, and slices of several acquisitions are told apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.copies import are_copies
from s3net_monai.io.dicom.series import load_series
from tests.helpers.enhanced_ct import enhanced_ct

Maker = Callable[..., Any]
COUNT = 8  # slices of a pass


def _ramp(count: int = 2 * COUNT) -> np.ndarray:
    return np.broadcast_to(np.arange(count, dtype=np.uint16)[:, None, None], (count, 3, 4))


def test_equal_copies_count_once(series_maker: Maker, tmp_path: Path) -> None:
    folder = series_maker(_ramp(4)).save(tmp_path / "ct")
    clean = load_series([folder])
    for file in list(folder.iterdir()):
        shutil.copy(file, folder / f"COPY OF {file.name.upper()}")
    series = load_series([folder])
    np.testing.assert_array_equal(series.array, clean.array)
    np.testing.assert_array_equal(series.affine, clean.affine)
    assert series.notes == (
        "4 images set aside as copies of others with the same content (COPY OF 00000.DCM, COPY OF 00007.DCM, "
        "COPY OF 00014.DCM, …)",
    )


def test_copy_may_have_other_meta_information(series_maker: Maker, tmp_path: Path) -> None:
    folder = series_maker(_ramp(4)).save(tmp_path / "ct")
    dataset = dcmread(folder / "00007.dcm")
    dataset.file_meta.SourceApplicationEntityTitle = "ARCHIVE"
    dataset.save_as(folder / "archived.dcm", enforce_file_format=True)
    data = (folder / "00014.dcm").read_bytes()
    bare = data[144 + int.from_bytes(data[140:144], "little") :]
    (folder / "bare.dcm").write_bytes(bare)
    assert are_copies(folder / "00007.dcm", folder / "archived.dcm")
    assert not are_copies(folder / "00007.dcm", folder / "bare.dcm")
    assert load_series([folder]).array.shape == (4, 3, 4)


def test_enhanced_object_and_its_copy(tmp_path: Path) -> None:
    enhanced_ct(_ramp(5)).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    shutil.copy(tmp_path / "a.dcm", tmp_path / "b.dcm")
    series = load_series([tmp_path])
    assert series.array[0, 0].tolist() == [-1024, -1023, -1022, -1021, -1020]
    assert series.notes == ("5 images set aside as copies of others with the same content (b.dcm)",)


@pytest.mark.parametrize("change", ["pixels", "position", "header"])
def test_unequal_copies_are_refused_by_name(series_maker: Maker, tmp_path: Path, change: str) -> None:
    maker = series_maker(_ramp(5))
    folder = maker.save(tmp_path / "ct")
    for index, dataset in enumerate(maker.slices):
        if change == "pixels":
            dataset.PixelData = dataset.PixelData[:-2] + b"\7\7"
        elif change == "position":  # they would merge evenly
            dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], dataset.ImagePositionPatient[2] + 1.0]
        else:
            dataset.RescaleIntercept = -1000
        dataset.save_as(folder / f"changed{index}.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"unequal copies: 0\d+\.dcm and changed\d\.dcm share a SOPInstanceUID"):
        load_series([folder])


def test_one_uid_for_all_slices_is_no_copy(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(_ramp(5))
    for dataset in maker.slices:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    assert load_series([maker.save(tmp_path)]).array.shape == (4, 3, 5)


PASSES: dict[str, Callable[[int, int], dict[str, Any]]] = {
    # The attributes of slice i of pass p.
    "AcquisitionNumber": lambda p, i: {"AcquisitionNumber": p + 1},
    "AcquisitionNumber by slice": lambda p, i: {"AcquisitionNumber": COUNT * p + i + 1},
    "AcquisitionNumber of one pass": lambda p, i: {"AcquisitionNumber": 2} if p else {},
    "AcquisitionTime": lambda p, i: {"AcquisitionTime": f"1200{10 * p:02d}"},
    "AcquisitionTime by slice": lambda p, i: {"AcquisitionTime": f"1200{20 * p + i:02d}.50"},
    "AcquisitionTime against the normal": lambda p, i: {"AcquisitionTime": f"1200{20 * p + COUNT - i:02d}"},
    "AcquisitionDateTime": lambda p, i: {"AcquisitionDateTime": f"202001011200{20 * p + i:02d}"},
    "TemporalPositionIdentifier": lambda p, i: {"TemporalPositionIdentifier": p + 1},
    "TriggerTime": lambda p, i: {"TriggerTime": 400 * p + i},
    "ContentTime": lambda p, i: {"ContentTime": f"12{p:02d}{i:02d}"},
    "SeriesTime": lambda p, i: {"SeriesTime": f"1200{10 * p:02d}"},
    "IrradiationEventUID": lambda p, i: {"IrradiationEventUID": f"1.2.3.{p + 1}"},
    "InstanceNumber": lambda p, i: {"InstanceNumber": COUNT * p + i + 1},
}


def _set_passes(maker: Any, tags: Callable[[int, int], dict[str, Any]], num_passes: int = 2) -> None:
    """Give slice i the attributes of slice i // num_passes of pass i % num_passes."""
    for index, dataset in enumerate(maker.slices):
        for keyword, value in tags(index % num_passes, index // num_passes).items():
            setattr(dataset, keyword, value)


@pytest.mark.parametrize("num_passes", [2, 3])
@pytest.mark.parametrize("name", PASSES)
def test_passes_that_alternate_are_refused(series_maker: Maker, tmp_path: Path, name: str, num_passes: int) -> None:
    maker = series_maker(_ramp(num_passes * COUNT))
    _set_passes(maker, PASSES[name], num_passes)
    folder = maker.save(tmp_path)
    keyword = name.partition(" ")[0]
    with pytest.raises(CaseError, match=rf"several acquisitions: slices that differ in {keyword} alternate") as caught:
        load_series([folder])
    assert "00000.dcm and 00007.dcm" in str(caught.value)


@pytest.mark.parametrize("offset", [0.5, 0.2])  # of the distance between the slices of a pass
@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "AcquisitionTime"])
def test_pass_of_another_breath_is_named(series_maker: Maker, tmp_path: Path, keyword: str, offset: float) -> None:
    maker = series_maker(_ramp(COUNT), step=4.0)
    second = series_maker(_ramp(COUNT - 1), step=4.0, origin=(-10.0, -20.0, 30.0 + 4.0 * offset)).slices
    for number, slices in enumerate((maker.slices, second), start=1):
        for dataset in slices:
            setattr(dataset, keyword, number if keyword == "AcquisitionNumber" else f"12000{number}")
            dataset.SeriesInstanceUID = maker.slices[0].SeriesInstanceUID
            dataset.FrameOfReferenceUID = maker.slices[0].FrameOfReferenceUID
    maker.slices += second
    with pytest.raises(CaseError, match=f"several acquisitions: slices that differ in {keyword} alternate"):
        load_series([maker.save(tmp_path)])


def test_passes_with_a_missing_slice(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(_ramp())
    _set_passes(maker, PASSES["AcquisitionTime by slice"])
    del maker.slices[5]
    with pytest.raises(CaseError, match="several acquisitions: slices that differ in AcquisitionTime alternate"):
        load_series([maker.save(tmp_path)], ["missing-slices"])


SCANS: dict[str, Callable[[int], dict[str, Any]]] = {
    # The attributes of slice i of one scan.
    "abutting acquisitions": lambda i: {
        "AcquisitionNumber": i // COUNT + 1,
        "AcquisitionTime": f"12{i // COUNT:02d}00",
    },
    "rotations of four slices": lambda i: {"AcquisitionNumber": i // 4, "AcquisitionTime": f"1200{i // 4:02d}"},
    "a number for every slice": lambda i: {"AcquisitionNumber": i, "InstanceNumber": i, "ContentTime": f"1200{i:02d}"},
    "against the normal": lambda i: {"InstanceNumber": 99 - i, "AcquisitionTime": f"1200{59 - i:02d}"},
    "to and fro": lambda i: {"AcquisitionTime": f"1200{i if i < COUNT else 3 * COUNT - i:02d}", "InstanceNumber": i},
    "images made in pairs": lambda i: {"ContentTime": f"1200{i ^ 1:02d}", "InstanceNumber": i ^ 1},
    "the last slice first": lambda i: {"ContentTime": f"1200{(i + 1) % 16:02d}"},
    "one slice without a number": lambda i: {} if i == 5 else {"AcquisitionNumber": 4},
}


@pytest.mark.parametrize("name", SCANS)
def test_one_scan_stays_one_series(series_maker: Maker, tmp_path: Path, name: str) -> None:
    maker = series_maker(_ramp())
    for index, dataset in enumerate(maker.slices):
        for keyword, value in SCANS[name](index).items():
            setattr(dataset, keyword, value)
    series = load_series([maker.save(tmp_path)])
    np.testing.assert_array_equal(series.array[0, 0], np.arange(16) - 1024)
    assert series.notes == ()


@pytest.mark.filterwarnings("ignore")
def test_unreadable_numbers_tell_nothing_apart(series_maker: Maker, tmp_path: Path) -> None:
    from pydicom import config

    maker = series_maker(_ramp(6))
    with config.disable_value_validation():
        for dataset in maker.slices:
            dataset.add_new("AcquisitionNumber", "LO", "REMOVED")
            dataset.AcquisitionTime = "REMOVED"
        folder = maker.save(tmp_path)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\x20\x00\x12\x00LO", b"\x20\x00\x12\x00IS"))
    assert load_series([folder]).array.shape == (4, 3, 6)


def test_duplicates_name_the_attribute_that_differs(series_maker: Maker, tmp_path: Path) -> None:
    maker, other = series_maker(_ramp(4)), series_maker(_ramp(4))
    for dataset in maker.slices:
        dataset.TemporalPositionIdentifier = 1
    for dataset in other.slices:
        dataset.TemporalPositionIdentifier = 2
        dataset.SeriesInstanceUID = maker.slices[0].SeriesInstanceUID
        dataset.FrameOfReferenceUID = maker.slices[0].FrameOfReferenceUID
    maker.slices += other.slices
    with pytest.raises(CaseError, match=r"duplicate position: .* and differ in TemporalPositionIdentifier; keep one"):
        load_series([maker.save(tmp_path)])


def _frame_content(keyword: str, values: Sequence[Any]) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            setattr(group.FrameContentSequence[0], keyword, values[index % len(values)])

    return change


def _time_offset(dataset: Dataset) -> None:
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.TemporalPositionTimeOffset = 12.5 * (index % 2)
        group.TemporalPositionSequence = [item]


def _cardiac_delay(dataset: Dataset) -> None:
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.NominalCardiacTriggerDelayTime = 300.0 * (index % 2)
        group.CardiacSynchronizationSequence = [item]


@pytest.mark.parametrize(
    ("change", "keyword"),
    [
        (_frame_content("FrameAcquisitionNumber", [1, 2]), "FrameAcquisitionNumber"),
        (_frame_content("FrameAcquisitionDateTime", ["20200101120000", "20200101120100"]), "FrameAcquisitionDateTime"),
        (_frame_content("FrameReferenceDateTime", ["20200101120000", "20200101120100"]), "FrameReferenceDateTime"),
        (_frame_content("RespiratoryCyclePosition", ["END_EXPIRATION", "END_INSPIRATION"]), "RespiratoryCyclePosition"),
        (_time_offset, "TemporalPositionTimeOffset"),
        (_cardiac_delay, "NominalCardiacTriggerDelayTime"),
    ],
)
def test_frames_of_several_times_are_refused(tmp_path: Path, change: Callable[[Dataset], None], keyword: str) -> None:
    dataset = enhanced_ct(_ramp(8))
    change(dataset)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(
        CaseError, match=rf"slices that differ in {keyword} alternate .*a\.dcm frame 1 and a\.dcm frame"
    ):
        load_series([tmp_path])
