"""Files without preamble or file meta information, and zeros behind pixel data: the same values as of clean files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import looks_like_dicom
from s3net_monai.io.dicom.series import load_series
from s3net_monai.io.dicom.vl_image import DicomVLImageReader
from tests.helpers.dicom_media import make_vl_image
from tests.helpers.enhanced_ct import enhanced_ct
from tests.helpers.mixed_dicom import SLICE, make_series

RAMP = (np.arange(3 * SLICE[0] * SLICE[1]).reshape(3, *SLICE) % 700) - 900  # HU, its last rows not of one value
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)

Change = Callable[[bytes], bytes]


def _data_set(data: bytes) -> bytes:
    return data[144 + int.from_bytes(data[140:144], "little") :]  # behind group 2, whose length is at byte 140


STARTS: dict[str, Change] = {
    "neither": _data_set,
    "no preamble": lambda data: data[132:],
    "no group 2": lambda data: data[:132] + _data_set(data),
    "zeros behind the last element": lambda data: data + bytes(512),
}


def _rewrite(folder: Path, change: Change) -> Path:
    for file in folder.iterdir():
        file.write_bytes(change(file.read_bytes()))
    return folder


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("syntax", NATIVE, ids=lambda uid: uid.name)
def test_data_sets_without_a_start_are_read(tmp_path: Path, syntax: UID, start: str) -> None:
    folder = make_series(RAMP, syntax).save(tmp_path, names=["IM1", "IM2", "IM3"])
    series = load_series([_rewrite(folder, STARTS[start])])
    np.testing.assert_array_equal(series.array, RAMP.transpose(2, 1, 0))
    assert series.notes == ()


def test_enhanced_object_and_vl_image_without_a_start(tmp_path: Path) -> None:
    stored = (RAMP + 1024).astype(np.uint16)
    for name, dataset in (("ct", enhanced_ct(stored)), ("vl", make_vl_image())):
        (tmp_path / name).mkdir()
        dataset.save_as(tmp_path / name / "a", enforce_file_format=True)
        _rewrite(tmp_path / name, _data_set)
    np.testing.assert_array_equal(load_series([tmp_path / "ct"]).array, RAMP.transpose(2, 1, 0))
    reader = DicomVLImageReader()
    image, metadata = reader.get_data(reader.read(tmp_path / "vl" / "a"))
    assert image.shape == (5, 4, 3)
    assert "notes" not in metadata


def test_compressed_data_without_its_codec_is_refused(tmp_path: Path) -> None:
    folder = make_series(RAMP, RLELossless).save(tmp_path)
    with pytest.raises(CaseError, match=r"00000\.dcm: compressed pixel data, but no file meta information"):
        load_series([_rewrite(folder, _data_set)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100",  # one element may be chance
        bytes(600),
        b"\x08\x00\x00\x00" * 128,
        b"RIFF" * 128,
        np.arange(300, dtype="<f4").tobytes(),
        b"\x02\x00\x01\x00\x04\x00\x00\x00" * 64,
    ],
)
def test_other_files_are_not_taken_for_data_sets(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.raw").write_bytes(data)
    assert not looks_like_dicom(tmp_path / "a.raw")


def test_folder_of_other_files_is_refused_in_one_line(tmp_path: Path) -> None:
    for index in range(16):
        (tmp_path / f"{index}.dcm").write_bytes(b"not DICOM" * 99)
    with pytest.raises(CaseError, match=r"all 16 DICOM files are damaged; the first: 0\.dcm: .*no DICOM header"):
        load_series([tmp_path])


def _add_zeros(folder: Path, count: int) -> Path:
    """Put zeros behind the pixels of every file: behind native values, or into the item of a codestream."""
    for file in folder.iterdir():
        dataset = dcmread(file)
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            frames = int(dataset.get("NumberOfFrames", 1))
            streams = [get_frame(dataset.PixelData, i, number_of_frames=frames) + bytes(count) for i in range(frames)]
            dataset.PixelData = encapsulate(streams)
        else:
            dataset.PixelData = dataset.PixelData + bytes(count)
        dataset.save_as(file, enforce_file_format=True)
    return folder


@pytest.mark.parametrize("count", [2, 64, 512])
@pytest.mark.parametrize(
    "syntax",
    [*NATIVE, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless],
    ids=lambda uid: uid.name,
)
def test_zeros_behind_pixels_are_no_damage(tmp_path: Path, syntax: UID, count: int) -> None:
    hu = RAMP.copy()
    hu[1, -5:] = -1024  # stored as 0, so that run lengths may end in zeros
    folder = _add_zeros(make_series(hu, syntax).save(tmp_path), count)
    series = load_series([folder])
    np.testing.assert_array_equal(series.array, hu.transpose(2, 1, 0))
    (note,) = series.notes
    number, _, rest = note.partition(" ")
    assert rest == "zero bytes after the pixel data of 3 files left out"
    assert 3 * count <= int(number) <= 3 * count + 3  # the codestream's own padding is among them


@pytest.mark.parametrize("compressed", [False, True])
def test_zeros_behind_the_frames_of_an_enhanced_object(tmp_path: Path, compressed: bool) -> None:
    dataset = enhanced_ct((RAMP + 1024).astype(np.uint16))
    if compressed:
        dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    series = load_series([_add_zeros(tmp_path, 64)])
    np.testing.assert_array_equal(series.array, RAMP.transpose(2, 1, 0))
    assert series.notes == (f"{192 if compressed else 64} zero bytes after the pixel data of a.dcm left out",)


def test_zeros_behind_a_jpeg_of_a_vl_image(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.fromarray(np.full((16, 16, 3), 77, np.uint8)).save(buffer, "JPEG")
    dataset = make_vl_image()
    dataset.Rows = dataset.Columns = 16
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.PixelData = encapsulate([buffer.getvalue()])
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    reader = DicomVLImageReader()
    image, metadata = reader.get_data(reader.read(_add_zeros(tmp_path, 64) / "a.dcm"))
    assert np.abs(image.astype(int) - 77).max() <= 1
    (note,) = metadata["notes"]
    assert note.endswith("zero bytes after the pixel data of a.dcm left out")


def test_other_bytes_behind_pixels_are_refused(tmp_path: Path) -> None:
    (dataset,) = make_series(RAMP[:1]).slices
    dataset.PixelData = dataset.PixelData + bytes(510) + b"\1\0"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"a\.dcm: pixel data too long, 2960 bytes found, 2448 expected"):
        load_series([tmp_path])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_cut_codestream_with_zeros_is_still_damage(tmp_path: Path, syntax: UID) -> None:
    (dataset,) = make_series(RAMP[:1], syntax).slices
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([stream[: len(stream) * 2 // 3] + bytes(len(stream))])
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match="truncated, its codestream has no end"):
        load_series([tmp_path])
