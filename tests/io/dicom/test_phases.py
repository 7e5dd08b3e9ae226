"""Cine series of MR: which images belong to one phase, and their values and places."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.io import CaseError, DicomSeriesReader
from s3net_monai.io.dicom.phases import parse_phase, with_phase
from s3net_monai.io.dicom.series import load_series
from tests.helpers.cine_mr import affine, cine_slices, enhanced_cine, save


def cine(phases: int = 3, slices: int = 4) -> np.ndarray:
    """Every voxel has a value of its own, above what signed 16 bits hold."""
    return (np.arange(phases * slices * 6 * 5).reshape(phases, slices, 6, 5) + 40000).astype(np.uint16)


@pytest.mark.parametrize("by_slice", [True, False])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"TriggerTime": None, "AcquisitionTime": "101010"},
        {"TriggerTime": 0, "RescaleSlope": 1, "RescaleIntercept": 0},
    ],
)
def test_one_phase_is_read_however_the_series_is_numbered(by_slice: bool, tags: dict[str, Any], tmp_path: Path) -> None:
    values = cine()
    datasets = cine_slices(values, by_slice=by_slice, **tags)
    random.Random(0).shuffle(datasets)
    folder = save(datasets, tmp_path / "cine")
    for phase in range(3):
        series = load_series([folder], modality="MR", phase=phase + 1)
        np.testing.assert_array_equal(series.array, values[phase].transpose(2, 1, 0))
        np.testing.assert_allclose(series.affine, affine(), atol=1e-5)
        assert len(series.files) == 4


def test_temporal_positions_order_phases_where_trigger_times_are_equal(tmp_path: Path) -> None:
    values = cine(2, 3)
    datasets = cine_slices(values, TriggerTime=0, InstanceNumber=1)
    for index, dataset in enumerate(datasets):
        dataset.TemporalPositionIdentifier = 2 - index // 3  # numbered backwards
    folder = save(datasets, tmp_path / "cine")
    first = load_series([folder], modality="MR", phase=1).array
    np.testing.assert_array_equal(first, values[1].transpose(2, 1, 0))


def test_frames_of_one_enhanced_object(tmp_path: Path) -> None:
    values = cine()
    path = tmp_path / "cine.dcm"
    enhanced_cine(values).save_as(path, enforce_file_format=True)
    reader = DicomSeriesReader(modality="MR")
    for phase in range(3):
        text = with_phase(path, phase + 1)
        assert parse_phase(text) == (path, phase + 1)
        assert reader.verify_suffix(text)
        array, meta = reader.get_data(reader.read(text))
        np.testing.assert_array_equal(array, values[phase].transpose(2, 1, 0))
        np.testing.assert_allclose(meta["affine"], affine(), atol=1e-5)
    with pytest.raises(CaseError, match="several points in time: a cine series of 3 phases, one expected"):
        reader.get_data(reader.read(path))
    with pytest.raises(CaseError, match="no phase 4: the series has 3"):
        reader.get_data(reader.read(with_phase(path, 4)))


def test_a_series_of_one_phase_needs_no_number(tmp_path: Path) -> None:
    values = cine(1)
    series = load_series([save(cine_slices(values), tmp_path / "stack")], modality="MR")
    np.testing.assert_array_equal(series.array, values[0].transpose(2, 1, 0))


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    values = cine(1, 2)
    datasets = cine_slices(values, RescaleIntercept=-10)
    datasets[0].RescaleSlope, datasets[1].RescaleSlope = "0.5", "200"
    series = load_series([save(datasets, tmp_path / "stack")], modality="MR")
    np.testing.assert_allclose(series.array[..., 0], values[0, 0].T * 0.5 - 10)
    np.testing.assert_allclose(series.array[..., 1], values[0, 1].T * 200.0 - 10)


def test_series_without_one_image_per_place_and_time_are_refused(tmp_path: Path) -> None:
    def refusal(name: str, datasets: list[Any]) -> str:
        with pytest.raises(CaseError) as error:
            load_series([save(datasets, tmp_path / name)], modality="MR", phase=1)
        return str(error.value)

    assert refusal("missing", cine_slices(cine())[1:]).startswith(
        "uneven phases: 2 images at one slice position and 3 at another, as many expected; export the series again"
    )
    velocity = cine_slices(cine(2))
    for dataset in velocity[4:]:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "P", "RETRO"]
    assert "several ImageTypes at one slice position" in refusal("velocity", velocity)
    echoes = cine_slices(cine(2))
    for dataset in echoes[4:]:
        dataset.EchoTime = 3.0
    assert "several EchoTimes at one slice position" in refusal("echoes", echoes)
    unordered = cine_slices(cine(2), TriggerTime=None, InstanceNumber=None)
    assert "several points in time: 2 images at every slice position, and no TriggerTime" in refusal("none", unordered)
    turned = cine_slices(cine(2))
    turned[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    assert refusal("turned", turned).startswith("mixed orientations")
    other = cine_slices(cine(1))
    other[0].Modality = "CT"
    assert "not MR but CT; give a MR series" in refusal("other", other)


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(ValueError, match="modality 'PT' is not known; give CT or MR"):
        DicomSeriesReader(modality="PT")


def test_acquisitions_of_mr_may_alternate(tmp_path: Path) -> None:
    """MR excites every second slice first."""
    datasets = cine_slices(cine(1, 8))
    for index, dataset in enumerate(datasets):
        dataset.AcquisitionTime = f"{100000 + index % 2 * 100 + index:06d}"
    assert load_series([save(datasets, tmp_path / "mr")], modality="MR").array.shape == (5, 6, 8)
