"""Stored pixel data of a DICOM object, frame by frame, with the checks that the decoders leave out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from s3net_monai.io.dicom.slices import integer, name_of, uid_name
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

END_OF_IMAGE = b"\xff\xd9"  # ends JPEG, JPEG-LS and JPEG 2000 codestreams alike
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MAX_PADDING = 16  # bytes that may follow it


def stored_frames(dataset: Any, **options: Any) -> Iterator[np.ndarray]:
    """The frames in the order in which they are stored: (rows, columns), or (rows, columns, 3) in RGB for color.

    pydicom turns YBR into RGB itself, while PhotometricInterpretation keeps its old value: never convert again.

    Args:
        dataset: with pixel data, and ``filename`` for messages.
        options: for pydicom's decoder.

    Raises:
        CaseError: for missing, truncated or excess pixel data, a codestream of another size than the header says, and
            transfer syntaxes without a decoder.
    """
    from pydicom.pixels import iter_pixels

    name = name_of(dataset)
    if not dataset.get("PixelData"):
        raise CaseError(f"no pixel data: {name} has a header only; export the series again")
    _check_decodable(dataset)
    _check_description(dataset)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_codestreams(dataset)
        # Decoders give the samples of a pixel together, or say that they do not, whatever the header says.
        options["planar_configuration"] = 0
        if dataset.file_meta.TransferSyntaxUID == JPEG_BASELINE:
            options["decoding_plugin"] = "pillow"  # others fill what they cannot read
    else:
        _check_length(dataset)
    expected = (integer(dataset, "Rows"), integer(dataset, "Columns"))
    try:
        frames = iter_pixels(dataset, **options)
        while (frame := _next_frame(frames)) is not None:
            if frame.shape[:2] != expected:
                raise CaseError(f"{name}: pixel data of {frame.shape}, header says {expected} (rows, columns)")
            yield frame
    except CaseError:
        raise
    except Exception as error:  # decoders raise whatever the damage provokes
        raise CaseError(f"{name}: pixel data cannot be decoded ({_fault(error)}); copy it again") from error


def _fault(error: Exception) -> str:
    """What the decoders say of the data, and not what Python says of them."""
    if not isinstance(error, ValueError | RuntimeError):
        return "damaged fragments"
    return one_line(re.sub(r" ?<[^<>]* at 0x[0-9a-f]+>", "", str(error)))


def codec_family(dataset: Any) -> str:
    """Codestreams of the transfer syntax: "JPEG", "JPEG-LS", "JPEG 2000", or empty for run lengths and plain values."""
    from pydicom import uid

    families = {
        "JPEG": uid.JPEGTransferSyntaxes,
        "JPEG-LS": uid.JPEGLSTransferSyntaxes,
        "JPEG 2000": uid.JPEG2000TransferSyntaxes,
    }
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    return next((name for name, syntaxes in families.items() if syntax in syntaxes), "")


def _next_frame(frames: Iterator[np.ndarray]) -> np.ndarray | None:
    with warnings.catch_warnings():
        # Of run lengths that give more than a frame, pydicom keeps the beginning and warns: they are damaged.
        warnings.filterwarnings("error", message="The decoded RLE segment")
        return next(frames, None)


def _check_decodable(dataset: Any) -> None:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    uid = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        available = get_decoder(uid).is_available
    except NotImplementedError:  # pydicom's word for a transfer syntax that it does not know
        raise CaseError(
            f"undecodable transfer syntax: {name_of(dataset)} is {uid_name(uid)}, which no decoder takes; "
            "export it uncompressed"
        ) from None
    if not available:
        raise CaseError(
            f"undecodable transfer syntax: {name_of(dataset)} is {uid_name(uid)}; "
            "install the decoders with: pip install 's3net-monai[dicom-codecs]'"
        )


def _check_description(dataset: Any) -> None:
    integer(dataset, "SamplesPerPixel")
    if not dataset.get("PhotometricInterpretation"):
        raise CaseError(f"{name_of(dataset)}: no PhotometricInterpretation; export it again")
    allocated = integer(dataset, "BitsAllocated")
    stored = integer(dataset, "BitsStored")
    high = integer(dataset, "HighBit", stored - 1)
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated or high != stored - 1:
        raise CaseError(
            f"{name_of(dataset)}: {stored} bits up to bit {high} in {allocated} allocated; 8, 16 or 32 with the values "
            "in the low bits expected, export it again"
        )
    if integer(dataset, "PixelRepresentation") not in (0, 1):
        raise CaseError(f"{name_of(dataset)}: PixelRepresentation is neither 0 nor 1; export it again")


def _check_length(dataset: Any) -> None:
    """Native pixel data must have the header's length: more of it means another size, which would be read askew."""
    samples = integer(dataset, "SamplesPerPixel", 1)
    pixels = integer(dataset, "Rows") * integer(dataset, "Columns") * integer(dataset, "NumberOfFrames", 1)
    expected = pixels * samples * integer(dataset, "BitsAllocated") // 8
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected // 3 * 2
    found = len(dataset.PixelData)
    if not expected <= found <= expected + expected % 2:
        problem = "truncated" if found < expected else "too long"
        raise CaseError(
            f"{name_of(dataset)}: pixel data {problem}, {found} bytes found, {expected} expected; copy it again"
        )


class _Codestream(NamedTuple):
    """What a codestream declares of itself; ``family`` is "JPEG", "JPEG-LS" or "JPEG 2000"."""

    family: str
    rows: int
    columns: int
    samples: int
    bits: int


def _check_codestreams(dataset: Any) -> None:
    """Decoders fill the rest of a cut JPEG or JPEG-LS with made-up values, and rearrange a picture of another shape."""
    from pydicom.encaps import generate_frames

    name = name_of(dataset)
    family = codec_family(dataset)
    size = (integer(dataset, "Rows"), integer(dataset, "Columns"))
    samples, allocated = integer(dataset, "SamplesPerPixel", 1), integer(dataset, "BitsAllocated")
    try:
        frames = generate_frames(dataset.PixelData, number_of_frames=integer(dataset, "NumberOfFrames", 1))
        for frame in frames:
            found = _codestream(frame)
            if (found.family if found else "") != family:
                raise ValueError(
                    f"{found.family if found else 'no'} codestream found, {family or 'run lengths'} expected"
                )
            if found is None:
                continue
            if END_OF_IMAGE not in frame[-MAX_PADDING:]:
                raise CaseError(f"{name}: pixel data truncated, its codestream has no end; copy it again")
            if (found.rows, found.columns) != size:
                raise CaseError(
                    f"{name}: pixel data of {(found.rows, found.columns)}, header says {size} (rows, columns); "
                    "copy it again"
                )
            if found.samples != samples or found.bits > allocated:
                raise CaseError(
                    f"{name}: pixel data of {found.samples} samples of {found.bits} bits, header says {samples} of "
                    f"{allocated}; copy it again"
                )
    except CaseError:
        raise
    except Exception as error:  # damaged fragments raise value, struct and stop errors
        raise CaseError(f"{name}: pixel data cannot be decoded ({_fault(error)}); copy it again") from error


def _codestream(frame: bytes) -> _Codestream | None:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream declares; None for others (RLE).

    Raises:
        ValueError: when a JPEG family's codestream starts but declares nothing.
    """
    if frame[:4] == b"\xff\x4f\xff\x51":  # ISO/IEC 15444-1 A.5.1: SIZ follows at once
        x1, y1, x0, y0 = (int.from_bytes(frame[i : i + 4], "big") for i in (8, 12, 16, 20))
        samples = int.from_bytes(frame[40:42], "big")
        depths = [depth & 0x7F for depth in frame[42 : 42 + 3 * samples : 3]]  # bit 7 is the sign
        return _Codestream("JPEG 2000", y1 - y0, x1 - x0, samples, max(depths, default=0) + 1)
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
            rows, columns = (int.from_bytes(frame[position + at : position + at + 2], "big") for at in (5, 7))
            family = "JPEG-LS" if marker == 0xF7 else "JPEG"
            return _Codestream(family, rows, columns, frame[position + 9], frame[position + 4])
        position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    raise ValueError("no frame header in its codestream")
