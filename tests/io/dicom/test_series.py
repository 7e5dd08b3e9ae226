"""CT series: order, affine, rescale, padding, and every named refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLosslessSV1

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.series import load_series

ANGLE = np.deg2rad(15)
OBLIQUE = (np.cos(ANGLE), np.sin(ANGLE), 0.0, -np.sin(ANGLE) * np.cos(0.3), np.cos(ANGLE) * np.cos(0.3), np.sin(0.3))


@pytest.mark.parametrize(
    ("orientation", "pixel_spacing", "step"),
    [
        ((1, 0, 0, 0, 1, 0), (1.0, 1.0), 2.0),
        ((-1, 0, 0, 0, -1, 0), (0.7, 0.7), 1.25),
        ((1, 0, 0, 0, 0, -1), (0.8, 0.8), 3.0),
        (OBLIQUE, (0.5, 0.9), 4.0),
    ],
    ids=["identity", "flipped", "coronal", "oblique-non-square"],
)
def test_every_voxel_is_at_its_position(
    series_maker: Callable[..., Any],
    stored_ramp: np.ndarray,
    tmp_path: Path,
    orientation: Any,
    pixel_spacing: Any,
    step: float,
) -> None:
    maker = series_maker(stored_ramp, orientation=orientation, pixel_spacing=pixel_spacing, step=step)
    series = load_series([maker.save(tmp_path / "ct")])
    assert series.array.shape == (6, 4, 5)
    row, column = np.array(orientation, dtype=float).reshape(2, 3)
    for z, dataset in enumerate(maker.slices):
        for y, x in [(0, 0), (3, 0), (0, 5), (2, 4)]:
            # PS3.3 equation C.7.6.2.1-1: column spacing along the row cosine, row spacing along the column cosine.
            lps = np.array(dataset.ImagePositionPatient, dtype=float)
            lps = lps + row * pixel_spacing[1] * x + column * pixel_spacing[0] * y
            index = np.linalg.inv(series.affine) @ [*(lps * [-1, -1, 1]), 1]
            i, j, k = np.rint(index[:3]).astype(int)
            np.testing.assert_allclose(index[:3], (i, j, k), atol=1e-4)
            assert series.array[i, j, k] == int(stored_ramp[z, y, x]) - 1024


def test_slices_are_ordered_by_position_alone(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp, step=-2.0)
    for number, dataset in enumerate(maker.slices):
        dataset.InstanceNumber = number
    series = load_series([maker.save(tmp_path / "ct", names=["b", "a", "e", "d", "c"])])
    assert series.array[0, 0, 0] == int(stored_ramp[4, 0, 0]) - 1024
    assert series.affine[2, 3] == pytest.approx(30 - 4 * 2)
    assert [file.name for file in series.files] == ["c", "d", "e", "a", "b"]


def test_each_slice_has_its_own_rescale(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    maker = series_maker(np.full((2, 3, 3), 100, dtype=np.uint16))
    maker.slices[1].RescaleSlope, maker.slices[1].RescaleIntercept = 2, -1000
    series = load_series([maker.save(tmp_path / "ct")])
    assert series.array.dtype == np.int16
    assert np.unique(series.array[:, :, 0]) == [-924]
    assert np.unique(series.array[:, :, 1]) == [-800]


def test_fractional_rescale_is_kept_as_float(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    maker = series_maker(np.full((2, 3, 3), 100, dtype=np.uint16))
    maker.slices[0].RescaleSlope = "0.25"
    series = load_series([maker.save(tmp_path / "ct")])
    assert series.array.dtype == np.float32
    assert series.array[0, 0, 0] == -999.0


def test_signed_values_and_padding_become_air(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    stored = np.array([[[-2000, -50], [40, 300]]] * 2, dtype=np.int16)
    maker = series_maker(stored)
    for dataset in maker.slices:
        dataset.RescaleIntercept, dataset.PixelPaddingValue = 0, -2000
    series = load_series([maker.save(tmp_path / "ct")])
    assert series.array[:, :, 0].T.tolist() == [[-1024, -50], [40, 300]]


def test_values_beyond_int16_are_clipped_not_wrapped(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    series = load_series([series_maker(np.full((2, 2, 2), 65535, dtype=np.uint16)).save(tmp_path / "ct")])
    assert np.unique(series.array) == [32767]


def test_single_slice_takes_its_thickness(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    series = load_series([series_maker(np.zeros((1, 4, 4), dtype=np.uint16), step=2.5).save(tmp_path / "ct")])
    assert series.array.shape == (4, 4, 1)
    assert series.affine[2, 2] == 2.5


def _drop(maker: Any) -> None:
    del maker.slices[2]


def _duplicate(maker: Any) -> None:
    maker.slices[2].ImagePositionPatient = maker.slices[1].ImagePositionPatient


def _tilt(maker: Any) -> None:
    for index, dataset in enumerate(maker.slices):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + index * 0.5, z]


def _shift_one(maker: Any) -> None:
    x, y, z = maker.slices[2].ImagePositionPatient
    maker.slices[2].ImagePositionPatient = [x, y, z + 0.7]


def _other_series(maker: Any) -> None:
    maker.slices[3].SeriesInstanceUID = "1.2.3"


def _other_size(maker: Any) -> None:
    maker.slices[3].Rows, maker.slices[3].Columns = 6, 4


def _other_orientation(maker: Any) -> None:
    maker.slices[0].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]


def _other_spacing(maker: Any) -> None:
    maker.slices[0].PixelSpacing = [1.0, 1.1]


def _no_pixels(maker: Any) -> None:
    del maker.slices[1].PixelData


def _truncated(maker: Any) -> None:
    maker.slices[1].PixelData = maker.slices[1].PixelData[:10]


def _jpeg_lossless(maker: Any) -> None:
    from pydicom.encaps import encapsulate

    for dataset in maker.slices:
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def _no_position(maker: Any) -> None:
    del maker.slices[1].ImagePositionPatient


def _magnetic_resonance(maker: Any) -> None:
    maker.slices[0].Modality = "MR"


def _localizer(maker: Any) -> None:
    for dataset in maker.slices:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def _multi_frame(maker: Any) -> None:
    maker.slices[0].NumberOfFrames = 2


def _no_rows(maker: Any) -> None:
    for dataset in maker.slices:
        del dataset.Rows


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_drop, r"missing slice: a gap of 4\.00 mm, not 2\.00 mm"),
        (_duplicate, "duplicate position"),
        (_tilt, r"gantry tilt: slices are sheared by 14\.0 degrees"),
        (_shift_one, "uneven slice spacing"),
        (_other_series, "mixed series: 2 SeriesInstanceUIDs among 5 files"),
        (_other_size, "inconsistent size"),
        (_other_orientation, "mixed orientations"),
        (_other_spacing, "inconsistent pixel spacing"),
        (_no_pixels, "no pixel data"),
        (_truncated, r"pixel data truncated, 10 bytes found, 48 expected"),
        (_no_position, "no usable ImagePositionPatient"),
        (_magnetic_resonance, "not CT but MR"),
        (_localizer, "localizer only"),
        (_multi_frame, "multi-frame"),
        (_no_rows, r"header ends before, or lacks, Rows and Columns"),
    ],
)
def test_bad_series_is_refused_with_the_reason(
    series_maker: Callable[..., Any],
    stored_ramp: np.ndarray,
    tmp_path: Path,
    damage: Callable[[Any], None],
    reason: str,
) -> None:
    maker = series_maker(stored_ramp)
    damage(maker)
    with pytest.raises(CaseError, match=reason) as caught:
        load_series([maker.save(tmp_path / "ct")])
    assert "\n" not in str(caught.value)


def test_undecodable_transfer_syntax_names_the_extra(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unavailable:
        is_available = False

    monkeypatch.setattr("s3net_monai.io.dicom.decoders.decoder_for", lambda uid: Unavailable())
    maker = series_maker(stored_ramp)
    _jpeg_lossless(maker)
    with pytest.raises(CaseError, match=r"undecodable transfer syntax: .*JPEG Lossless.*\[dicom-codecs\]"):
        load_series([maker.save(tmp_path / "ct")])


def test_rounded_positions_are_not_a_missing_slice(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    maker = series_maker(np.zeros((9, 2, 2), dtype=np.uint16), step=0.625)
    for dataset in maker.slices:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z), 1)]
    assert load_series([maker.save(tmp_path / "ct")]).affine[2, 2] == pytest.approx(0.625)


def test_damaged_file_in_the_folder_is_named(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    (folder / "bad.dcm").write_bytes(b"not DICOM at all")
    with pytest.raises(CaseError, match=r"bad\.dcm: not readable as DICOM"):
        load_series([folder])


def test_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CaseError, match="no image files"):
        load_series([tmp_path])


@pytest.mark.parametrize(
    ("folder", "shape"),
    [
        ("chest_A0001", (512, 512, 64)),
        ("chest_ibsi_rtstruct/image", (204, 201, 60)),
        ("abdomen_jpeg2000", (512, 512, 20)),
    ],
)
def test_real_series_load(real_data: Path, folder: str, shape: tuple[int, ...]) -> None:
    series = load_series([real_data / "dicom" / folder])
    assert series.array.shape == shape
    assert -1100 < series.array.min() <= -1000
    assert np.linalg.det(series.affine[:3, :3]) > 0


def test_real_mixture_is_refused(real_data: Path) -> None:
    with pytest.raises(CaseError, match="mixed series"):
        load_series([real_data / "dicom" / "odd_single_files"])


def test_values_of_damaged_headers_are_not_quoted(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp[:1])
    maker.slices[0].PatientID = "PIDMARK77"
    folder = maker.save(tmp_path / "ct")
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"LO\x0a\x00PIDMARK77", b"FD\x0a\x00PIDMARK77"))
    with pytest.raises(CaseError, match=r"not readable as DICOM \(.*element.* is damaged\)") as refusal:
        read_header(file, ["PatientID"])
    assert "PIDMARK" not in str(refusal.value)


def test_file_cut_before_its_size_is_not_another_object(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    last = sorted(folder.iterdir())[-1]
    content = last.read_bytes()
    for length in (140, 170, 300, 500):
        last.write_bytes(content[:length])
        with pytest.raises(CaseError, match=rf"{last.name}: .*copy the file again"):
            load_series([folder])
