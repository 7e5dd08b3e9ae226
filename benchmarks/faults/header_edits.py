"""Edits of single header fields, each with whether something else in the file contradicts the new value.

What nothing contradicts, such as another origin in a header that states it once, is accepted rightly.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from pydicom import dcmread

from benchmarks.faults.sound_files import SHAPE, Files, recompressed, with_png_checksums
from benchmarks.faults.text_header_edits import Change, meta_image_edits, nrrd_edits

_LZW = "tiff_lzw"


class Edit(NamedTuple):
    """One edit.

    Attributes:
        name: of the field and its new value.
        files: the damaged file by its name.
        contradicted: whether the file itself states something else.
    """

    name: str
    files: Files
    contradicted: bool


def edits(files: Files, main: str) -> Iterator[Edit]:
    """Yield the edits of the file that is given to the reader, or of one of a series.

    Args:
        files: sound ones.
        main: the name of the one that is given; empty for a DICOM series.
    """
    name = main or "1.dcm"
    suffix = "".join(Path(name).suffixes[-2:]) if name.endswith(".gz") else Path(name).suffix
    kinds: dict[str, Callable[[], Iterator[tuple[str, Change, bool]]]] = {
        ".nii": lambda: _nifti(files[name]),
        ".nii.gz": lambda: _nifti(gzip.decompress(files[name])),
        ".nrrd": lambda: nrrd_edits(deflated=b"encoding: gzip" in files[name]),
        ".nhdr": lambda: nrrd_edits(deflated=b"encoding: gzip" in files[name]),
        ".mha": meta_image_edits,
        ".mhd": meta_image_edits,
        ".png": _png,
        ".tif": lambda: _tiff(files[name]),
        ".bmp": _bmp,
        ".dcm": _dicom if not main else lambda: iter(()),
    }
    for field, change, contradicted in kinds.get(suffix, lambda: iter(()))():
        data = recompressed(files[name], change) if suffix == ".nii.gz" else change(files[name])
        if data != files[name]:
            yield Edit(field, {name: data}, contradicted)


def with_value(layout: str, offset: int, value: Any) -> Change:
    """Return a change that stores a number, in a layout of ``struct``, at a byte of the file."""
    return lambda data: data[:offset] + struct.pack(layout, value) + data[offset + struct.calcsize(layout) :]


def _nifti(data: bytes) -> Iterator[tuple[str, Change, bool]]:
    """Fields by their offset (nifti1.h)."""
    (qform_code,) = struct.unpack_from("<h", data, 252)
    for axis, size in enumerate(SHAPE):
        for other in (1, size - 1, size + 1, size // 2, size * 2, -size, 0, 32767):
            yield f"dim[{axis + 1}] {other}", with_value("<h", 42 + 2 * axis, other), True
        for factor in (0.5, 0.9, 1.1, 2.0, -1.0, 0.0, float("nan")):
            yield f"pixdim[{axis + 1}] x {factor}", _scaled("<f", 80 + 4 * axis, factor), True
        for row in range(3):
            where = 280 + 16 * row
            yield f"srow[{row}][{axis}]", with_value("<f", where + 4 * axis, 0.7), True
        yield f"srow[{axis}][3]", with_value("<f", 280 + 16 * axis + 12, 77.0), qform_code > 0
        yield f"quatern[{axis}]", with_value("<f", 256 + 4 * axis, 0.6), True
        yield f"qoffset[{axis}]", with_value("<f", 268 + 4 * axis, 99.0), True
    for ndim in (0, 1, 2, 4, 7, 9, -1):
        yield f"dim[0] {ndim}", with_value("<h", 40, ndim), ndim not in (4, 7)
    for code in (0, 1, 2, 8, 16, 64, 128, 256, 768, 1024, 2304, 999):
        yield f"datatype {code}", with_value("<h", 70, code), True
    for bits in (1, 8, 32, 64):
        yield f"bitpix {bits}", with_value("<h", 72, bits), True
    for offset in (0, 1, 348, 368, 1024, 1e12, -352, float("nan")):
        yield f"vox_offset {offset}", with_value("<f", 108, offset), True
    for slope in (float("inf"), -float("inf"), 1e30, 1e-30):
        yield f"scl_slope {slope}", with_value("<f", 112, slope), True
    for code in (0, 2, 3, 4, 5, -1):
        yield f"qform_code {code}", with_value("<h", 252, code), True
        yield f"sform_code {code}", with_value("<h", 254, code), True
    for units in (0, 1, 3):
        yield f"xyzt_units {units}", with_value("<B", 123, units), False
    for size in (0, 347, 540, -1):
        yield f"sizeof_hdr {size}", with_value("<i", 0, size), True
    yield "magic", with_value("<4s", 344, b"ni1\0"), True


def _scaled(layout: str, offset: int, factor: float) -> Change:
    return lambda data: with_value(layout, offset, factor * struct.unpack_from(layout, data, offset)[0])(data)


def _png() -> Iterator[tuple[str, Change, bool]]:
    """Fields of IHDR, with the checksum set right."""
    for name, offset, size in (("width", 16, SHAPE[0]), ("height", 20, SHAPE[1])):
        for other in (0, 1, size - 1, size + 1, size * 2, 2**31 - 1):
            yield f"{name} {other}", _with_checksums(with_value(">I", offset, other)), True
    for name, offset, values in (
        ("depth", 24, (1, 2, 4, 8, 16, 3)),
        ("color", 25, (2, 3, 4, 6, 1)),
        ("compression", 26, (1,)),
        ("filter", 27, (1,)),
        ("interlace", 28, (1, 2)),
    ):
        for other in values:
            yield f"{name} {other}", _with_checksums(with_value("B", offset, other)), True


def _with_checksums(change: Change) -> Change:
    return lambda data: with_png_checksums(change(data))


def _tiff(data: bytes) -> Iterator[tuple[str, Change, bool]]:
    """Values of tags (TIFF 6.0 section 8) in the first directory of a little-endian file.

    How many bytes LZW expands to only its decoder knows.
    """
    with Image.open(BytesIO(data)) as image:
        sized = image.info["compression"] != _LZW
    for tag, values, contradicted in (
        (256, (0, 1, 39, 41, 20, 80, 2**31), sized),
        (257, (0, 1, 31, 33, 16, 64, 2**31), sized),
        (258, (1, 4, 16, 32), sized),
        (259, (1, 5, 8, 32773, 7, 9), True),
        (277, (2, 3, 4, 0), sized),
        (278, (1, 8, 16), True),
        (273, (0, 9, 10**6, 2**32 - 1), True),
        (279, (0, 100, 10**6, 2**32 - 1), True),
        (262, (0, 3), False),
        (274, (3, 6), False),
    ):
        for value in values:
            yield f"tag {tag} {value}", with_tag(tag, value), contradicted


def with_tag(tag: int, value: int) -> Change:
    """Return a change that sets a tag of the first directory of a little-endian TIFF file, if it has another value."""

    def change(data: bytes) -> bytes:
        with Image.open(BytesIO(data)) as image:
            if tag not in image.tag_v2 or image.tag_v2[tag] == value:  # type: ignore[attr-defined]  # of a TIFF
                return data
        (start,) = struct.unpack_from("<I", data, 4)
        for index in range(struct.unpack_from("<H", data, start)[0]):
            entry = start + 2 + 12 * index
            if struct.unpack_from("<H", data, entry)[0] == tag:
                layout = "<H" if struct.unpack_from("<H", data, entry + 2)[0] == 3 else "<I"
                return with_value(layout, entry + 8, value % (2**16 if layout == "<H" else 2**32))(data)
        return data

    return change


def _bmp() -> Iterator[tuple[str, Change, bool]]:
    for name, offset, size in (("width", 18, SHAPE[0]), ("height", 22, SHAPE[1])):
        for other in (0, 1, size // 2, size + 9, size * 2, 2**31 - 1):
            yield f"{name} {other}", with_value("<i", offset, other), True
    for bits in (0, 1, 4, 16, 24, 32):
        yield f"bits {bits}", with_value("<H", 28, bits), True
    yield "compression", with_value("<I", 30, 1), True


def _dicom() -> Iterator[tuple[str, Change, bool]]:
    """Fields of one slice that the others, or its pixels, contradict."""
    for keyword, value in (
        ("Rows", 31),
        ("Rows", 64),
        ("Columns", 39),
        ("Columns", 80),
        ("BitsAllocated", 8),
        ("BitsAllocated", 32),
        ("SamplesPerPixel", 3),
        ("PixelSpacing", [1.0, 1.0]),
        ("PixelSpacing", [2.0, 1.6]),
        ("ImagePositionPatient", [0, 0, 0]),
        ("ImagePositionPatient", [-30, 20, 46]),
        ("ImagePositionPatient", [-31, 20, 45]),
        ("ImageOrientationPatient", [0, 1, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0, 1]),
        ("SeriesInstanceUID", "1.2.3"),
        ("FrameOfReferenceUID", "1.2.3"),
        ("Modality", "MR"),
        ("NumberOfFrames", 2),
        ("PhotometricInterpretation", "RGB"),
    ):
        yield f"{keyword} {value}", _attribute(keyword, value), True
    for keyword, value in (("RescaleIntercept", -1000), ("RescaleSlope", 2), ("PixelRepresentation", 1)):
        yield f"{keyword} {value}", _attribute(keyword, value), False


def _attribute(keyword: str, value: Any) -> Change:
    def change(data: bytes) -> bytes:
        dataset = dcmread(BytesIO(data))
        setattr(dataset, keyword, value)
        file = BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        return file.getvalue()

    return change
