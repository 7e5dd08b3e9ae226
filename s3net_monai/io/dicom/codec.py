"""Decoding of stored pixel data, frame by frame, with the checks that the decoders leave out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3net_monai.io.dicom.header import SliceHeader, read_integer, uid_name
from s3net_monai.io.dicom.trailing_zeros import drop_zeros_after, drop_zeros_of_frames
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.reasons import in_words

END_OF_IMAGE = b"\xff\xd9"  # ends JPEG, JPEG-LS and JPEG 2000 codestreams alike
MAX_PADDING = 16  # bytes that may follow the end of image


def check_pixel_data(image: SliceHeader) -> int:
    """Refuse pixel data that cannot be decoded as the header describes it, and drop zeros that follow it.

    Args:
        image: the whole file; its PixelData is changed where zeros are dropped.

    Returns:
        The number of zero bytes that were dropped.

    Raises:
        CaseError: if pixel data is missing, truncated or too long, if a codestream has another size than the header
            says, or if there is no decoder for the transfer syntax.
    """
    if not image.dataset.get("PixelData"):
        raise CaseError(f"no pixel data: {image.name} is cut off or has a header only; export the series again")
    _check_decodable(image)
    _check_description(image)
    if image.dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return _check_codestreams(image)
    return _check_length(image)


def decode_frames(image: SliceHeader, **options: Any) -> Iterator[np.ndarray]:
    """Decode the frames of a file that passed ``check_pixel_data``.

    pydicom converts YBR to RGB itself, while PhotometricInterpretation keeps its old value: never convert again.

    Args:
        image: the whole file, with pixel data.
        options: for pydicom's decoder.

    Yields:
        Every frame in stored order: (rows, columns), or (rows, columns, 3) in RGB for color.

    Raises:
        CaseError: if the pixel data cannot be decoded, or to another size than the header says.
    """
    from pydicom.pixels import iter_pixels

    from s3net_monai.io.dicom.decoders import preferred_plugin

    name, dataset = image.name, image.dataset
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        # Decoders return the samples of a pixel together, or say that they do not; the header's value does not apply.
        options["planar_configuration"] = 0
        options["decoding_plugin"] = preferred_plugin(dataset.file_meta.TransferSyntaxUID)
    expected = (read_integer(image, "Rows"), read_integer(image, "Columns"))
    try:
        frames = iter_pixels(dataset, **options)
        while (frame := _next_frame(frames)) is not None:
            if frame.shape[:2] != expected:
                raise CaseError(f"{name}: pixel data of {frame.shape}, header says {expected} (rows, columns)")
            yield frame
    except CaseError:
        raise
    except Exception as error:  # damaged data raises all kinds of errors in decoders
        raise CaseError(f"{name}: {in_words(error, 'pixel data cannot be decoded', 'copy it again')}") from error


def codec_family(image: SliceHeader) -> str:
    """Return the codestreams of the transfer syntax: "JPEG", "JPEG-LS" or "JPEG 2000".

    Empty for run lengths and uncompressed values.
    """
    from pydicom import uid

    families = {
        "JPEG": uid.JPEGTransferSyntaxes,
        "JPEG-LS": uid.JPEGLSTransferSyntaxes,
        "JPEG 2000": uid.JPEG2000TransferSyntaxes,
    }
    syntax = image.dataset.file_meta.get("TransferSyntaxUID")
    return next((name for name, syntaxes in families.items() if syntax in syntaxes), "")


def _next_frame(frames: Iterator[np.ndarray]) -> np.ndarray | None:
    with warnings.catch_warnings():
        # Where run lengths hold more than a frame, pydicom keeps the beginning and warns: they are damaged.
        warnings.filterwarnings("error", message="The decoded RLE segment")
        return next(frames, None)


def _check_decodable(image: SliceHeader) -> None:
    from pydicom.uid import UID

    from s3net_monai.io.dicom.decoders import decoder_for

    uid = UID(str(image.dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        available = decoder_for(uid).is_available
    except NotImplementedError:  # pydicom does not know the transfer syntax
        raise CaseError(
            f"undecodable transfer syntax: {image.name} is {uid_name(uid)}, which no decoder supports; "
            "export it uncompressed"
        ) from None
    if not available:
        raise CaseError(
            f"undecodable transfer syntax: {image.name} is {uid_name(uid)}; "
            "install the decoders with: pip install 's3net-monai[dicom-codecs]'"
        )


def _check_description(image: SliceHeader) -> None:
    read_integer(image, "SamplesPerPixel")
    if not image.get("PhotometricInterpretation"):
        raise CaseError(f"{image.name}: no PhotometricInterpretation; export it again")
    allocated = read_integer(image, "BitsAllocated")
    stored = read_integer(image, "BitsStored")
    high = read_integer(image, "HighBit", stored - 1)
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated or high != stored - 1:
        raise CaseError(
            f"{image.name}: {stored} bits up to bit {high} in {allocated} allocated; 8, 16 or 32 with the values "
            "in the low bits expected, export it again"
        )
    if read_integer(image, "PixelRepresentation") not in (0, 1):
        raise CaseError(f"{image.name}: PixelRepresentation is neither 0 nor 1; export it again")


def _check_length(image: SliceHeader) -> int:
    """Refuse native pixel data of another length than the header's; more of it would shift every row.

    Returns:
        The number of zero bytes that followed and were dropped.
    """
    samples = read_integer(image, "SamplesPerPixel", 1)
    pixels = read_integer(image, "Rows") * read_integer(image, "Columns") * read_integer(image, "NumberOfFrames", 1)
    expected = pixels * samples * read_integer(image, "BitsAllocated") // 8
    if image.get("PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected // 3 * 2
    zeros = drop_zeros_after(image.dataset, expected)
    length = len(image.dataset.PixelData)
    if not expected <= length <= expected + expected % 2:
        problem = "truncated" if length < expected else "too long"
        raise CaseError(f"{image.name}: pixel data {problem}, {length} bytes found, {expected} expected; copy it again")
    return zeros


@dataclass(frozen=True, kw_only=True)
class _Codestream:
    """Declared properties of a codestream; ``family`` is "JPEG", "JPEG-LS" or "JPEG 2000"."""

    family: str
    rows: int
    columns: int
    samples: int
    bits: int


def _check_codestreams(image: SliceHeader) -> int:
    """Refuse codestreams that are cut off or of another shape than the header says.

    Decoders fill the missing part of a JPEG or JPEG-LS with invented values, and reshape an image of another size.

    Returns:
        The number of zero bytes that followed codestreams and were dropped.
    """
    from pydicom.encaps import generate_frames

    name = image.name
    family = codec_family(image)
    size = (read_integer(image, "Rows"), read_integer(image, "Columns"))
    samples, allocated = read_integer(image, "SamplesPerPixel", 1), read_integer(image, "BitsAllocated")
    try:
        num_frames = read_integer(image, "NumberOfFrames", 1)
        frames = list(generate_frames(image.dataset.PixelData, number_of_frames=num_frames))
        for frame in frames:
            stream = _parse_codestream(frame)
            if (stream.family if stream else "") != family:
                raise ValueError(
                    f"{stream.family if stream else 'no'} codestream found, {family or 'run lengths'} expected"
                )
            if stream is None:
                continue
            if END_OF_IMAGE not in frame.rstrip(b"\0")[-MAX_PADDING:]:
                raise CaseError(f"{name}: pixel data truncated, its codestream has no end; copy it again")
            if (stream.rows, stream.columns) != size:
                raise CaseError(
                    f"{name}: pixel data of {(stream.rows, stream.columns)}, header says {size} (rows, columns); "
                    "copy it again"
                )
            if stream.samples != samples or stream.bits > allocated:
                raise CaseError(
                    f"{name}: pixel data of {stream.samples} samples of {stream.bits} bits, header says {samples} of "
                    f"{allocated}; copy it again"
                )
        return drop_zeros_of_frames(image.dataset, frames, is_rle=not family, segment_length=size[0] * size[1])
    except CaseError:
        raise
    except Exception as error:  # damaged fragments raise value, struct and stop errors
        raise CaseError(f"{name}: {in_words(error, 'pixel data cannot be decoded', 'copy it again')}") from error


def _parse_codestream(frame: bytes) -> _Codestream | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 codestream declares, or None for others (RLE).

    Raises:
        ValueError: if a JPEG family's codestream starts but declares nothing.
    """
    if frame[:4] == b"\xff\x4f\xff\x51":  # ISO/IEC 15444-1 A.5.1: SIZ follows directly
        x1, y1, x0, y0 = (int.from_bytes(frame[i : i + 4], "big") for i in (8, 12, 16, 20))
        samples = int.from_bytes(frame[40:42], "big")
        depths = [depth & 0x7F for depth in frame[42 : 42 + 3 * samples : 3]]  # bit 7 is the sign
        return _Codestream(
            family="JPEG 2000", rows=y1 - y0, columns=x1 - x0, samples=samples, bits=max(depths, default=0) + 1
        )
    if frame[:4] == b"\x00\x00\x00\x0c":
        raise ValueError("a JP2 file instead of a codestream")
    if frame[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 10 <= len(frame):  # ISO/IEC 10918-1 B.1.1: marker, length, content
        if frame[position] != 0xFF:
            break
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = (int.from_bytes(frame[i : i + 2], "big") for i in (position + 5, position + 7))
            return _Codestream(
                family="JPEG-LS" if marker == 0xF7 else "JPEG",
                rows=rows,
                columns=columns,
                samples=frame[position + 9],
                bits=frame[position + 4],
            )
        position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    raise ValueError("no frame header in its codestream")
