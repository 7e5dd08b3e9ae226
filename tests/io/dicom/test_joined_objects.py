"""Enhanced CT in several multi-frame objects: joined where their frames make one stack, and referred to one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_seg_writing import TYPES, write
from tests.helpers.dicom_tools import DOUBLE_OBLIQUE, dciodvfy_errors, foreground_positions, read_with_highdicom
from tests.helpers.enhanced_ct import enhanced_ct

STORED = np.broadcast_to(np.arange(6, dtype=np.uint16)[:, None, None] * 10, (6, 4, 6))
GEOMETRY: dict[str, Any] = {"orientation": DOUBLE_OBLIQUE, "pixel_spacing": (0.5, 0.9)}
STEP = 4.0
UIDS = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "FrameOfReferenceUID": "1.2.3.5"}

Change = Callable[[int, Dataset], None]


def _parts(indices: Sequence[Sequence[int]], change: Change | None = None) -> list[Dataset]:
    """Divide a stack: part i holds the slices ``indices[i]``, in this order."""
    normal = np.cross(*np.array(DOUBLE_OBLIQUE).reshape(2, 3))
    parts = []
    for number, slices in enumerate(indices, start=1):
        # ``enhanced_ct`` makes an even stack, so every slice is set to its own place.
        dataset = enhanced_ct(STORED[list(slices)], step=STEP, **GEOMETRY)
        for group, index in zip(dataset.PerFrameFunctionalGroupsSequence, slices, strict=True):
            position = index * STEP * normal
            group.PlanePositionSequence[0].ImagePositionPatient = [f"{value:.6f}" for value in position]
        for keyword, value in UIDS.items():
            setattr(dataset, keyword, value)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
        dataset.InstanceNumber = number
        if change:
            change(number, dataset)
        parts.append(dataset)
    return parts


def _save(parts: Sequence[Dataset], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for index, dataset in enumerate(parts):
        dataset.save_as(folder / f"{len(parts) - index}.dcm", enforce_file_format=True)
    return folder


def _concatenation(number: int, dataset: Dataset) -> None:
    dataset.ConcatenationUID, dataset.InConcatenationNumber = "1.2.3.6", number
    dataset.InConcatenationTotalNumber, dataset.ConcatenationFrameOffsetNumber = 3, 2 * (number - 1)
    dataset.SOPInstanceUIDOfConcatenationSource = "1.2.3.7"


def _without_total(number: int, dataset: Dataset) -> None:
    _concatenation(number, dataset)
    del dataset.InConcatenationTotalNumber


DIVISIONS: dict[str, tuple[Sequence[Sequence[int]], Change | None]] = {
    "in two": ([[0, 1, 2, 3], [4, 5]], None),
    "of one frame each": ([[i] for i in range(6)], None),
    "some of one frame": ([[0, 1, 2, 3, 4], [5]], None),
    "frames in any order": ([[5, 3, 0], [1, 4, 2]], None),
    "concatenation": ([[0, 1], [2, 3], [4, 5]], _concatenation),
    "acquisitions that abut": ([[0, 1, 2], [3, 4, 5]], lambda n, part: setattr(part, "AcquisitionNumber", n)),
}


@pytest.fixture
def classic(tmp_path: Path) -> Any:
    return load_series([SeriesMaker(STORED, step=STEP, origin=(0, 0, 0), **GEOMETRY).save(tmp_path / "classic")])


@pytest.mark.parametrize("name", DIVISIONS)
def test_parts_make_the_volume_of_single_slices(tmp_path: Path, classic: Any, name: str) -> None:
    folder = _save(_parts(*DIVISIONS[name]), tmp_path / "parts")
    series = load_series([folder])
    np.testing.assert_array_equal(series.array, classic.array)
    np.testing.assert_allclose(series.affine, classic.affine, atol=1e-5)
    assert len(series.files) == len(DIVISIONS[name][0])
    assert series.notes == ()


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("name", DIVISIONS)
def test_mask_refers_to_every_part_and_frame(tmp_path: Path, name: str, format_name: str) -> None:
    parts = _parts(*DIVISIONS[name])
    folder = _save(parts, tmp_path / "parts")
    blob = (np.random.default_rng(0).random((6, 4, 6)) > 0.6).astype(np.uint8)
    blob[:, :, 1] = 0
    path = write(blob, folder, tmp_path, format_name)
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []
    expected = foreground_positions(blob, load_series([folder]).affine)
    assert foreground_positions(*read_with_highdicom(path)) == expected
    seg = dcmread(path)
    position_of = {
        (part.SOPInstanceUID, number): group.PlanePositionSequence[0].ImagePositionPatient
        for part in parts
        for number, group in enumerate(part.PerFrameFunctionalGroupsSequence, start=1)
    }
    frames = seg.PerFrameFunctionalGroupsSequence
    assert len(frames) == 5
    for group in frames:
        (item,) = group.DerivationImageSequence[0].SourceImageSequence
        source = position_of[item.ReferencedSOPInstanceUID, int(item.ReferencedFrameNumber)]
        np.testing.assert_allclose(np.array(group.PlanePositionSequence[0].ImagePositionPatient), source, atol=1e-5)
    for sequence in (seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence, seg.SourceImageSequence):
        assert {item.ReferencedSOPInstanceUID for item in sequence} == {part.SOPInstanceUID for part in parts}


def test_classic_slice_beside_an_object(tmp_path: Path, classic: Any) -> None:
    (part,) = _parts([[0, 1, 2, 3, 4]])
    last = SeriesMaker(STORED, step=STEP, origin=(0, 0, 0), **GEOMETRY).slices[5]
    for keyword, value in UIDS.items():
        setattr(last, keyword, value)
    folder = _save([part, last], tmp_path / "both")
    np.testing.assert_array_equal(load_series([folder]).array, classic.array)
    seg = dcmread(write(np.ones((6, 4, 6), np.uint8), folder, tmp_path))
    items = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in seg.PerFrameFunctionalGroupsSequence]
    references = {(item.ReferencedSOPInstanceUID, item.get("ReferencedFrameNumber")) for item in items}
    assert references == {*((part.SOPInstanceUID, number) for number in range(1, 6)), (last.SOPInstanceUID, None)}


@pytest.mark.parametrize(
    ("indices", "reason"),
    [
        (
            [[0, 1, 2], [0, 1, 2]],
            "duplicate position: 1.dcm frame 1 and 2.dcm frame 1|duplicate position: 2.dcm frame 1",
        ),
        ([[0, 1, 2], [2, 3, 4]], "duplicate position"),
        ([[0, 1], [4, 5]], "missing slice: a gap of 12.00 mm, not 4.00 mm"),
    ],
)
def test_parts_that_make_no_stack_are_refused(tmp_path: Path, indices: list[list[int]], reason: str) -> None:
    folder = _save(_parts(indices), tmp_path / "parts")
    with pytest.raises(CaseError, match="several multi-frame objects: each of 2 files holds a part") as caught:
        load_series([folder])
    assert any(option in str(caught.value) for option in reason.split("|"))


def test_missing_slices_between_parts_are_filled_on_request(tmp_path: Path) -> None:
    folder = _save(_parts([[0, 1, 2], [4, 5]]), tmp_path / "parts")
    series = load_series([folder], ["missing-slices"])
    assert series.array[0, 0].tolist() == [-1024, -1014, -1004, -994, -984, -974]


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "AcquisitionDateTime"])
def test_objects_of_two_passes_are_refused(tmp_path: Path, keyword: str) -> None:
    values: list[Any] = [1, 2] if keyword == "AcquisitionNumber" else ["20200101120000", "20200101120100"]
    parts = _parts([[0, 2, 4], [1, 3, 5]], lambda n, part: setattr(part, keyword, values[n - 1]))
    with pytest.raises(CaseError, match=f"several acquisitions: slices that differ in {keyword} alternate"):
        load_series([_save(parts, tmp_path / "parts")])


def test_objects_in_two_frames_of_reference_are_refused(tmp_path: Path) -> None:
    parts = _parts([[0, 1, 2], [3, 4, 5]], lambda n, part: setattr(part, "FrameOfReferenceUID", f"1.2.{n}"))
    with pytest.raises(CaseError, match="mixed frames of reference: 2"):
        load_series([_save(parts, tmp_path / "parts")])


@pytest.mark.parametrize(
    ("change", "found", "total"), [(_concatenation, 2, "3"), (_without_total, 2, "an unknown number of")]
)
def test_incomplete_concatenation_is_refused(tmp_path: Path, change: Change, found: int, total: str) -> None:
    _, *rest = _parts([[0, 1], [2, 3], [4, 5]], change)
    message = f"concatenation: 1.dcm is one part of a divided object, and {found} of {total} parts were found; give all"
    with pytest.raises(CaseError, match=message):
        load_series([_save(rest, tmp_path / "parts")])


def test_concatenation_of_unstated_length_gets_a_note(tmp_path: Path, classic: Any) -> None:
    folder = _save(_parts([[0, 1], [2, 3], [4, 5]], _without_total), tmp_path / "parts")
    series = load_series([folder])
    np.testing.assert_array_equal(series.array, classic.array)
    assert series.notes == ("3 parts of a divided object joined, which does not say how many it has: 1.dcm, …",)
