"""JPEG by libjpeg-turbo: lossless streams exactly, 12-bit lossy ones within a rounding, whatever else is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless

from s3net_monai.io.dicom.decoders import decode_jpeg, decoder_for, preferred_plugin
from s3net_monai.io.dicom.series import load_series

# A ramp of 12 bits that DCMTK's `dcmcjpeg +ee +q 100` wrote, from 0 to 3232; no encoder of this environment does.
RAMP = (np.arange(8)[:, None] * 311 + np.arange(6) * 211).astype(np.uint16)
EXTENDED = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300010101010101010101010101010101010101010101010101010101010101010"
    "10101010101010101010101010101010101010101010101010101010101010101ffc1000b0c0008000601011100ffc4001400010000000000"
    "000000000000000000000cffc4001b100001040300000000000000000000000007002a4866060c0dffda0008010100003f0034f6a1df2771a"
    "cb9236ba160ba275c05f525ffffd9"
)


def _save(dataset: Any, stream: bytes, syntax: str, path: Path) -> Path:
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_jpeg_extended_of_twelve_bits(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    (dataset,) = series_maker(RAMP[None]).slices
    dataset.BitsStored, dataset.HighBit = 12, 11
    loaded = load_series([_save(dataset, EXTENDED, JPEGExtended12Bit, tmp_path / "a.dcm")])
    np.testing.assert_allclose(loaded.array[:, :, 0].T + 1024.0, RAMP, atol=1)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_is_exact(bits: int, predictor: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (9, 7)).astype(np.uint16)
    stream = imagecodecs.jpeg8_encode(values, lossless=True, predictor=predictor, bitspersample=bits)
    runner = SimpleNamespace(rows=9, columns=7, samples_per_pixel=1, bits_allocated=16)
    decoded = np.frombuffer(decode_jpeg(stream, runner), np.uint16).reshape(9, 7)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded, values)


def test_eight_bits_fill_the_allocated_ones() -> None:
    values = np.arange(48, dtype=np.uint8).reshape(8, 6)
    stream = imagecodecs.jpeg8_encode(values, lossless=True)
    runner = SimpleNamespace(rows=8, columns=6, samples_per_pixel=1, bits_allocated=16)
    decoded = np.frombuffer(decode_jpeg(stream, runner), np.uint16)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded, values.ravel())


def test_lossless_color_is_exact() -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    stream = imagecodecs.jpeg8_encode(values, lossless=True, colorspace="RGB", outcolorspace="RGB")
    runner = SimpleNamespace(rows=9, columns=7, samples_per_pixel=3, bits_allocated=8, photometric_interpretation="RGB")
    decoded = np.frombuffer(decode_jpeg(stream, runner), np.uint8)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded, values.ravel())


@pytest.mark.parametrize(("stream", "found"), [(EXTENDED, r"\(8, 6\) found, \(6, 8\) expected"), (b"\xff\xd8", ".")])
def test_other_streams_are_value_errors(stream: bytes, found: str) -> None:
    runner = SimpleNamespace(rows=6, columns=8, samples_per_pixel=1, bits_allocated=16)
    with pytest.raises(ValueError, match=found):
        decode_jpeg(stream, runner)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless])
def test_our_choice_goes_before_other_decoders(
    syntax: Any, series_maker: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that comes first in pydicom's list, as GDCM does where it is installed, is not asked."""

    def fail(*arguments: Any) -> bytes:
        raise AssertionError("another decoder was asked")

    decoder = decoder_for(syntax)
    first = {"gdcm": fail, "pylibjpeg": fail, preferred_plugin(syntax): decoder._available[preferred_plugin(syntax)]}
    monkeypatch.setattr(decoder, "_available", first)
    (dataset,) = series_maker(RAMP[None]).slices
    dataset.BitsStored, dataset.HighBit = 12, 11
    if syntax == JPEGLSLossless:
        stream = imagecodecs.jpegls_encode(RAMP)
    elif syntax == JPEGExtended12Bit:
        stream = EXTENDED
    else:
        stream = imagecodecs.jpeg8_encode(RAMP, lossless=True, bitspersample=12)
    loaded = load_series([_save(dataset, stream, syntax, tmp_path / "a.dcm")])
    np.testing.assert_allclose(loaded.array[:, :, 0].T + 1024.0, RAMP, atol=1)


def test_decoders_are_added_once() -> None:
    before = decoder_for(JPEGLossless).available_plugins
    assert decoder_for(JPEGLossless) is get_decoder(JPEGLossless)
    assert decoder_for(JPEGLossless).available_plugins == before
