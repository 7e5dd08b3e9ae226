"""Headers that do not form a CT stack are refused in one line; images that do not belong to it are set aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series, read_geometry
from tests.helpers.ct_series import ct_slice

Maker = Callable[..., Any]


def _set(index: int, **tags: Any) -> Callable[[Any], None]:
    def damage(maker: Any) -> None:
        for keyword, value in tags.items():
            if value is None:
                del maker.slices[index][keyword]
            else:
                setattr(maker.slices[index], keyword, value)

    return damage


def _set_all(**tags: Any) -> Callable[[Any], None]:
    def damage(maker: Any) -> None:
        for index in range(len(maker.slices)):
            _set(index, **tags)(maker)

    return damage


def _far_apart(maker: Any) -> None:
    for index, dataset in enumerate(maker.slices):
        dataset.ImagePositionPatient = [0, 0, 2000.0 * index]


def _two_patients(maker: Any) -> None:
    _set_all(PatientID="one")(maker)
    _set(1, PatientID="another")(maker)


def _single(**tags: Any) -> Callable[[Any], None]:
    def damage(maker: Any) -> None:
        del maker.slices[1:]
        _set(0, **tags)(maker)

    return damage


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_set(1, FrameOfReferenceUID="1.2.3"), "mixed frames of reference: 2 among the 5 slices of one series"),
        (_two_patients, "mixed patients: 2 among the 5 slices of one series"),
        (_set(1, ImagePositionPatient=["NaN", 0, 0]), "no usable ImagePositionPatient (3 numbers expected)"),
        (_set(1, ImagePositionPatient=["inf", 0, 0]), "no usable ImagePositionPatient"),
        (_set(1, ImagePositionPatient=[0, 0]), "no usable ImagePositionPatient"),
        (_set(1, ImagePositionPatient=""), "no usable ImagePositionPatient"),
        (_set(1, ImagePositionPatient=[0, 0, "1e9"]), "ImagePositionPatient is more than 100 m off"),
        (_set(1, ImageOrientationPatient=None), "no usable ImageOrientationPatient (6 numbers expected)"),
        (_set_all(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "is not two perpendicular unit vectors"),
        (_set_all(ImageOrientationPatient=[0] * 6), "is not two perpendicular unit vectors"),
        (_set(1, PixelSpacing=None), "no usable PixelSpacing (2 numbers expected)"),
        (_set(1, PixelSpacing=[0.5]), "no usable PixelSpacing"),
        (_set_all(PixelSpacing=[0, 0]), "PixelSpacing [0.0, 0.0] must be positive"),
        (_set_all(PixelSpacing=[-1, 1]), "must be positive"),
        (_set_all(PixelSpacing=[5000, 1]), "would span 20000 mm, at most 3000 mm expected"),
        (_far_apart, "would span 10000 mm"),
        (_set_all(Rows=0), "0x6 pixels (rows x columns), 1 to 8192 expected"),
        (_set_all(Rows=60000, Columns=60000), "60000x60000 pixels (rows x columns), 1 to 8192 expected"),
        (_set_all(Rows=2000, Columns=2000), "pixel data truncated, 48 bytes found, 8000000 expected"),
        (_set_all(SamplesPerPixel=3), "a color image, not CT"),
        (_set_all(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "a secondary capture, without Hounsfield units"),
        (_set_all(Modality="PT"), "not CT but PT"),
        (_set_all(NumberOfFrames=2), "multi-frame without functional groups"),
        (_set(1, NumberOfFrames="1.5"), "NumberOfFrames 1.5 is not a whole number"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_headers_are_refused_with_the_reason(
    series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path, damage: Callable[[Any], None], reason: str
) -> None:
    maker = series_maker(stored_ramp)
    damage(maker)
    with pytest.raises(CaseError) as caught:
        load_series([maker.save(tmp_path / "ct")])
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_grids_beyond_the_limit_are_refused(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(np.zeros((40, 1, 1), dtype=np.uint16), pixel_spacing=(0.1, 0.1))
    _set_all(Rows=8192, Columns=8192)(maker)
    with pytest.raises(CaseError, match=r"00000\.dcm: 8192x8192x40 voxels, beyond the limit"):
        read_geometry([maker.save(tmp_path / "ct")])


def test_marked_localizer_among_slices_is_set_aside(
    series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    scout = ct_slice(
        np.zeros((9, 7), np.uint16),
        np.zeros(3),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesInstanceUID=maker.slices[0].SeriesInstanceUID,
    )
    maker.slices.insert(2, scout)
    series = load_series([maker.save(tmp_path / "ct")])
    np.testing.assert_array_equal(series.array, stored_ramp.transpose(2, 1, 0).astype(int) - 1024)
    assert series.notes == ("1 localizer set aside (00014.dcm)",)


def test_screen_capture_among_slices_is_set_aside(series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path) -> None:
    maker = series_maker(stored_ramp)
    report = ct_slice(
        np.zeros((9, 7), np.uint16),
        np.zeros(3),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        ImageType=["DERIVED", "SECONDARY"],
        SeriesInstanceUID=maker.slices[0].SeriesInstanceUID,
    )
    del report.ImagePositionPatient
    maker.slices.append(report)
    series = load_series([maker.save(tmp_path / "ct")])
    assert series.array.shape == (6, 4, 5)
    assert series.notes == ("1 secondary image set aside (00035.dcm)",)


def _with_coronal(series_maker: Maker, axial: int, coronal: int) -> Any:
    maker = series_maker(np.zeros((axial, 4, 6), dtype=np.uint16))
    across = series_maker(np.zeros((coronal, 4, 6), dtype=np.uint16), orientation=(1, 0, 0, 0, 0, -1))
    for dataset in across.slices:
        dataset.SeriesInstanceUID = maker.slices[0].SeriesInstanceUID
    maker.slices += across.slices
    return maker


def test_unmarked_scouts_are_found_by_their_geometry(series_maker: Maker, tmp_path: Path) -> None:
    geometry = read_geometry([_with_coronal(series_maker, 12, 2).save(tmp_path / "ct")])
    assert geometry.shape == (6, 4, 12)
    assert geometry.notes == ("2 localizers set aside (00084.dcm, 00091.dcm)",)


@pytest.mark.parametrize(("axial", "coronal"), [(5, 2), (12, 3), (12, 12)])
def test_mixed_orientations_are_refused(series_maker: Maker, tmp_path: Path, axial: int, coronal: int) -> None:
    with pytest.raises(CaseError, match="mixed orientations"):
        read_geometry([_with_coronal(series_maker, axial, coronal).save(tmp_path / "ct")])


def test_derived_slices_alone_are_a_series(series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path) -> None:
    maker = series_maker(stored_ramp)
    _set_all(ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])(maker)
    assert read_geometry([maker.save(tmp_path / "ct")]).notes == ()


def test_slices_that_are_set_aside_leave_a_gap(series_maker: Maker, stored_ramp: np.ndarray, tmp_path: Path) -> None:
    maker = series_maker(stored_ramp)
    maker.slices[2].ImageType = ["DERIVED", "SECONDARY"]
    with pytest.raises(CaseError, match="missing slice"):
        read_geometry([maker.save(tmp_path / "ct")])
