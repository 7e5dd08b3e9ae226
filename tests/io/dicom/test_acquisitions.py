"""Slices of several acquisitions or phases that alternate in one series are told apart; one scan stays one series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series
from tests.helpers.enhanced_ct import enhanced_ct

Maker = Callable[..., Any]
COUNT = 8  # slices of a pass


def _ramp(count: int = 2 * COUNT) -> np.ndarray:
    return np.broadcast_to(np.arange(count, dtype=np.uint16)[:, None, None], (count, 3, 4))


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
