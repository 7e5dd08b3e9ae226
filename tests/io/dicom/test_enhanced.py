"""Enhanced multi-frame CT: the same volume, checks and refusals as with one file per slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, generate_uid

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.geometry import masks_on_slices
from s3net_monai.io.dicom.series import load_series, read_geometry
from tests.helpers.dicom_tools import DOUBLE_OBLIQUE
from tests.helpers.enhanced_ct import enhanced_ct

ORDER = [3, 0, 4, 1, 2]


def _save(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_in_any_order_equal_single_slices(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path, compressed: bool
) -> None:
    geometry = {"orientation": DOUBLE_OBLIQUE, "pixel_spacing": (0.5, 0.9), "step": 4.0}
    classic = load_series([series_maker(stored_ramp, **geometry).save(tmp_path / "ct")])
    dataset = enhanced_ct(stored_ramp, order=ORDER, **geometry)
    if compressed:
        dataset.compress(RLELossless)
    path = _save(dataset, tmp_path / "enhanced.dcm")
    series = load_series([path])
    assert series.array.dtype == np.int16
    np.testing.assert_array_equal(series.array, classic.array)
    np.testing.assert_allclose(series.affine, classic.affine, atol=1e-6)
    assert series.files == (path,)


def test_highdicom_reads_the_same_volume(stored_ramp: np.ndarray, tmp_path: Path) -> None:
    rescale = [(1, -1024), (2, -1000), (1, 0), (3, -500), (1, 24)]
    dataset = enhanced_ct(
        stored_ramp, orientation=DOUBLE_OBLIQUE, pixel_spacing=(0.5, 0.9), order=ORDER, rescale=rescale
    )
    path = _save(dataset, tmp_path / "enhanced.dcm")
    series = load_series([path])
    volume = highdicom.imread(path).get_volume(apply_modality_transform=True)
    values = np.asarray(volume.array)  # (slices, rows, columns), LPS
    for index in np.ndindex(series.array.shape):
        position = series.affine @ [*index, 1]
        z, y, x = np.rint(np.linalg.inv(volume.affine) @ (position * [-1, -1, 1, 1]))[:3].astype(int)
        assert series.array[index] == values[z, y, x]


def test_every_frame_has_its_own_rescale(tmp_path: Path) -> None:
    stored = np.full((3, 2, 2), 100, dtype=np.uint16)
    dataset = enhanced_ct(stored, order=[2, 0, 1], rescale=[(1, 0), (2, -10), (0.5, 0.25)])
    series = load_series([_save(dataset, tmp_path / "a.dcm")])
    assert series.array.dtype == np.float32
    assert series.array[0, 0].tolist() == [100.0, 190.0, 50.25]


def test_headers_know_their_frames(stored_ramp: np.ndarray, tmp_path: Path) -> None:
    geometry = read_geometry([_save(enhanced_ct(stored_ramp, order=ORDER), tmp_path / "a.dcm")])
    # Slice i is stored as the frame at which ORDER holds i.
    assert [header.frame_index for header in geometry.headers] == [1, 3, 4, 0, 2]
    mask = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
    np.testing.assert_array_equal(masks_on_slices(mask, geometry), mask.transpose(2, 1, 0))


def test_missing_frame_is_filled_on_request(tmp_path: Path) -> None:
    stored = np.broadcast_to(np.arange(6, dtype=np.uint16)[:, None, None] * 10, (6, 2, 2))
    dataset = enhanced_ct(stored)
    del dataset.PerFrameFunctionalGroupsSequence[2]
    dataset.PixelData = np.delete(stored, 2, axis=0).tobytes()
    dataset.NumberOfFrames = 5
    path = _save(dataset, tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"missing slice: .* between a\.dcm frame 2 and a\.dcm frame 3"):
        load_series([path])
    series = load_series([path], ["missing-slices"])
    assert series.array[0, 0].tolist() == [-1024, -1014, -1004, -994, -984, -974]


def test_single_frame_objects_make_a_series(stored_ramp: np.ndarray, tmp_path: Path) -> None:
    uids = {"SeriesInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    for index, plane in enumerate(stored_ramp):
        dataset = enhanced_ct(plane[None], origin=(0, 0, 3.0 * index), step=3.0)
        for keyword, uid in uids.items():
            setattr(dataset, keyword, uid)
        _save(dataset, tmp_path / f"{index}.dcm")
    series = load_series([tmp_path])
    np.testing.assert_array_equal(series.array, stored_ramp.transpose(2, 1, 0).astype(int) - 1024)


def _concatenation(dataset: Dataset) -> None:
    dataset.ConcatenationUID, dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber = "1.2.3", 1, 2


def _concatenation_of_unknown_length(dataset: Dataset) -> None:
    dataset.ConcatenationUID, dataset.InConcatenationNumber = "1.2.3", 1


def _stacks(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[4].FrameContentSequence[0].StackID = "2"


def _times(dataset: Dataset) -> None:
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        group.FrameContentSequence[0].TemporalPositionIndex = 1 + index % 2


def _lost_group(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[-1]


def _twice(dataset: Dataset) -> None:
    first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence


def _other_orientation(dataset: Dataset) -> None:
    plane = Dataset()
    plane.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    dataset.PerFrameFunctionalGroupsSequence[1].PlaneOrientationSequence = [plane]


def _no_position(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def _no_spacing(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


def _no_rescale(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence


def _cut(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-48]


def _localizer(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]


def _color(dataset: Dataset) -> None:
    dataset.SamplesPerPixel = 3


def _classic_class(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    del dataset.PerFrameFunctionalGroupsSequence
    del dataset.SharedFunctionalGroupsSequence


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_concatenation, "concatenation: a.dcm is one part"),
        (_concatenation_of_unknown_length, "concatenation: a.dcm is one part"),
        (_stacks, "several stacks: a.dcm holds 2"),
        (_times, "several points in time: a.dcm holds 2"),
        (_lost_group, "5 frames, but functional groups of 4"),
        (_twice, "duplicate position: a.dcm frame 1 and a.dcm frame 2"),
        (_other_orientation, "mixed orientations: a.dcm frame 2"),
        (_no_position, "a.dcm frame 3: no usable ImagePositionPatient"),
        (_no_spacing, "no usable PixelSpacing"),
        (_no_rescale, "a.dcm frame 1: no RescaleSlope"),
        (_cut, "pixel data truncated, 192 bytes found, 240 expected"),
        (_localizer, "localizer only"),
        (_color, "a color image"),
        (_classic_class, "multi-frame without functional groups"),
    ],
)
def test_bad_objects_are_refused_with_the_reason(
    stored_ramp: np.ndarray, tmp_path: Path, damage: Callable[[Dataset], None], reason: str
) -> None:
    dataset = enhanced_ct(stored_ramp)
    damage(dataset)
    with pytest.raises(CaseError, match=reason.replace(".", r"\.")) as caught:
        load_series([_save(dataset, tmp_path / "a.dcm")])
    assert "\n" not in str(caught.value)
