"""Transfer syntaxes: each is decoded exactly or refused with the reason; cut streams are never filled up."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.decoders import decoder_for
from s3net_monai.io.dicom.series import load_series

# 12 bits: every value differs from its neighbors, and the matrix is not square.
STORED = ((np.arange(8)[:, None] * 311 + np.arange(6) * 97) % 4096).astype(np.uint16)
# The same for encoders that refuse images smaller than their wavelet.
LARGE = ((np.arange(64)[:, None] * 311 + np.arange(48) * 97) % 4096).astype(np.uint16)

# STORED as codestreams that no encoder of this environment writes: DCMTK's dcmcjpeg +el +sv 6, and OpenJPH's encoder.
PROCESS_14 = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffc3000b100008000601011100ffc4001700010101010000000000000000000000000809"
    "0710ffda0008010100060000ed8761d8761d869ba71389c4e2729ba71389c4e2729ba71389c4e2729ba71389c4e2729ba71389c4e2729ba7"
    "1389c4e2729ba71389c4e273ffd9"
)
SELECTION_1 = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffc3000b100008000601011100ffc4001600010101000000000000000000000000000709"
    "10ffda0008010100010000cc2c2c2c2c34dd85858585869bb0b0b0b0b0d376161616161a6ec2c2c2c2c34dd85858585869bb0b0b0b0b0d37"
    "6161616161ffffd9"
)
HIGH_THROUGHPUT = bytes.fromhex(
    "ff4fff5100294000000000060000000800000000000000000000000600000008000000000000000000010f0101ff50000800020000000aff"
    "52000c00020001000504044001ff5c00132088909090909090909090909090888888ff64001700014f70656e4a50482056657220302e3236"
    "2e332eff90000a0000000000590001ff93c00026e3f8050774000000c00012c0001300360207740014fb03077400c0001340001380f7fe00"
    "cb740076b5eb00a35400c0002a60001540c04020f097e10b75006cb261f3c021008cb600ffd9"
)
CODESTREAMS = {
    "process-14": (JPEGLossless, PROCESS_14),
    "sv1": (JPEGLosslessSV1, SELECTION_1),
    "htj2k": (HTJ2KLossless, HIGH_THROUGHPUT),
}


@pytest.fixture
def slice_of(series_maker: Callable[..., Any]) -> Callable[..., Any]:
    def make(stored: np.ndarray = STORED, **tags: Any) -> Any:
        (dataset,) = series_maker(stored[None]).slices
        dataset.BitsStored, dataset.HighBit = 12, 11
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        return dataset

    return make


def _save(dataset: Any, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def _encapsulated(dataset: Any, syntax: UID, stream: bytes) -> Any:
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _loaded(path: Path) -> np.ndarray:
    return load_series([path]).array[:, :, 0].T.astype(int) + 1024


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda syntax: syntax.name,
)
def test_uncompressed(slice_of: Callable[..., Any], tmp_path: Path, syntax: UID) -> None:
    dataset = slice_of()
    dataset.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        dataset.PixelData = STORED.astype(">u2").tobytes()
    np.testing.assert_array_equal(_loaded(_save(dataset, tmp_path / "a.dcm")), STORED)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEG2000], ids=lambda syntax: syntax.name
)
def test_compressed_by_pydicom(slice_of: Callable[..., Any], tmp_path: Path, syntax: UID, signed: bool) -> None:
    stored = LARGE.astype(np.int16) - 2048 if signed else LARGE
    dataset = slice_of(stored)
    options = {"j2k_cr": [1]} if syntax == JPEG2000 else {}
    dataset.compress(syntax, **options)
    loaded = _loaded(_save(dataset, tmp_path / "a.dcm"))
    if syntax == JPEG2000:  # with real numbers, so nearly lossless at best
        np.testing.assert_allclose(loaded, stored, atol=4)
    else:
        np.testing.assert_array_equal(loaded, stored)


def test_jpeg_ls_near_lossless(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    dataset = slice_of()
    dataset.compress(JPEGLSNearLossless, jls_error=3)
    np.testing.assert_allclose(_loaded(_save(dataset, tmp_path / "a.dcm")), STORED, atol=3)


@pytest.mark.parametrize("name", CODESTREAMS)
def test_known_codestreams(slice_of: Callable[..., Any], tmp_path: Path, name: str) -> None:
    path = _save(_encapsulated(slice_of(), *CODESTREAMS[name]), tmp_path / "a.dcm")
    np.testing.assert_array_equal(_loaded(path), STORED)


def test_jpeg_lossless_of_itk(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(STORED[None].astype(np.int16))
    for tag, value in {"0008|0060": "CT", "0028|1053": "1", "0028|1052": "-1024", "0018|0050": "2"}.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "a.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.Execute(image)
    dataset = dcmread(tmp_path / "a.dcm")
    assert dataset.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    # ITK regards its image as HU and stores values that the rescale converts to them.
    np.testing.assert_array_equal(_loaded(tmp_path / "a.dcm") - 1024, STORED)


def test_jpeg_baseline(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    gray = np.linspace(0, 255, 48).reshape(8, 6).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "JPEG", quality=100)
    dataset = slice_of(BitsAllocated=8, BitsStored=8, HighBit=7)
    path = _save(_encapsulated(dataset, JPEGBaseline8Bit, stream.getvalue()), tmp_path / "a.dcm")
    np.testing.assert_allclose(_loaded(path), gray, atol=2)


@pytest.mark.parametrize("name", ["process-14", "sv1", "htj2k", "jpeg-ls", "jpeg-2000", "rle"])
@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6])
def test_cut_streams_are_refused(slice_of: Callable[..., Any], tmp_path: Path, name: str, fraction: float) -> None:
    dataset = slice_of(STORED if name in CODESTREAMS else LARGE)
    if name in CODESTREAMS:
        syntax, stream = CODESTREAMS[name]
    else:
        syntax = {"jpeg-ls": JPEGLSLossless, "jpeg-2000": JPEG2000Lossless, "rle": RLELossless}[name]
        dataset.compress(syntax)
        stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    remaining = stream[: len(stream) - max(3, int(fraction * len(stream)))]
    path = _save(_encapsulated(dataset, syntax, remaining), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"a\.dcm: pixel data (truncated|cannot be decoded)"):
        load_series([path])


@pytest.mark.parametrize("name", ["process-14", "sv1", "htj2k", "jpeg-ls", "jpeg-2000"])
def test_streams_of_another_shape_are_refused(slice_of: Callable[..., Any], tmp_path: Path, name: str) -> None:
    dataset = slice_of(STORED if name in CODESTREAMS else LARGE)
    if name in CODESTREAMS:
        _encapsulated(dataset, *CODESTREAMS[name])
    else:
        dataset.compress(JPEGLSLossless if name == "jpeg-ls" else JPEG2000Lossless)
    rows, columns = dataset.Rows, dataset.Columns
    dataset.Rows, dataset.Columns = columns, rows  # the same number of pixels, so decoders see no error
    with pytest.raises(CaseError, match=rf"pixel data of \({rows}, {columns}\), header says \({columns}, {rows}\)"):
        load_series([_save(dataset, tmp_path / "a.dcm")])


@pytest.mark.parametrize(
    "stream", [b"\xff\xd8\xff\xd9", b"\0\0\0\x0cjP  \0\0\0\0", b"\0\0", b"\xff\xd8" + b"\xff" * 40], ids=range(4)
)
def test_streams_without_content_are_refused(slice_of: Callable[..., Any], tmp_path: Path, stream: bytes) -> None:
    path = _save(_encapsulated(slice_of(), JPEG2000Lossless, stream), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"a\.dcm: pixel data cannot be decoded"):
        load_series([path])


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, HTJ2KLossless], ids=lambda syntax: syntax.name)
def test_missing_decoder_names_the_extra(slice_of: Callable[..., Any], tmp_path: Path, syntax: UID) -> None:
    stream = SELECTION_1 if syntax == JPEGLosslessSV1 else HIGH_THROUGHPUT
    path = _save(_encapsulated(slice_of(), syntax, stream), tmp_path / "a.dcm")
    decoder = decoder_for(syntax)
    plugins = dict(decoder._available)
    try:
        decoder._available.clear()
        with pytest.raises(CaseError, match=r"undecodable transfer syntax: a\.dcm is .*\[dicom-codecs\]"):
            load_series([path])
    finally:
        decoder._available.update(plugins)
    np.testing.assert_array_equal(_loaded(path), STORED)


def test_films_are_refused(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    path = _save(_encapsulated(slice_of(), MPEG2MPML, b"\0\0\1\xb3"), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"undecodable transfer syntax: a\.dcm is MPEG2.*export it uncompressed"):
        load_series([path])


def test_streams_of_another_codec_are_refused(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    path = _save(_encapsulated(slice_of(), JPEGLSLossless, SELECTION_1), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"a\.dcm: .*JPEG codestream found, JPEG-LS expected"):
        load_series([path])


def test_streams_of_more_bits_than_allocated_are_refused(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    dataset = slice_of(BitsAllocated=8, BitsStored=8, HighBit=7)
    path = _save(_encapsulated(dataset, JPEGLosslessSV1, SELECTION_1), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"1 samples of 16 bits, header says 1 of 8"):
        load_series([path])


def test_run_lengths_beyond_a_frame_are_refused(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    dataset = slice_of(LARGE)
    dataset.compress(RLELossless)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    longer = stream + bytes([255, 1] * 9)  # nine runs of two
    path = _save(_encapsulated(dataset, RLELossless, longer), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"a\.dcm: pixel data cannot be decoded"):
        load_series([path])


def test_empty_pixel_data_is_refused(slice_of: Callable[..., Any], tmp_path: Path) -> None:
    path = _save(slice_of(PixelData=b""), tmp_path / "a.dcm")
    with pytest.raises(CaseError, match=r"no pixel data: a\.dcm"):
        load_series([path])
