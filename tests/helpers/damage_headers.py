"""Hypothesis strategies that damage the headers of DICOM files, element by element.

They edit bytes, since no library writes such files. They work on valid explicit little endian files, and draw
``(description, files)``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import UID_dictionary

from tests.helpers.damage import Damaged, one_or_all
from tests.helpers.damage_bases import base

LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")  # PS3.5 7.1.2
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010

GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
VALUES = ("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue")
PIXELS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("PlanarConfiguration", "PhotometricInterpretation", "NumberOfFrames"),
)


@dataclass(frozen=True)
class Element:
    """A data element of an explicit little endian file: tag, and byte offsets of element, value and end."""

    tag: int
    vr: bytes
    start: int
    value: int
    end: int


def elements(data: bytes) -> Iterator[Element]:
    """Yield every data element of a valid explicit little endian file, and those inside its sequences."""
    start = 132
    while start + 8 <= len(data):
        group, number = struct.unpack_from("<HH", data, start)
        if group == 0xFFFE:  # an item, or the end of one or of a sequence
            start += 8
            continue
        vr = data[start + 4 : start + 6]
        value = start + (12 if vr in LONG else 8)
        (length,) = (
            struct.unpack_from("<I", data, value - 4) if vr in LONG else struct.unpack_from("<H", data, value - 2)
        )
        end = len(data) if length == UNDEFINED and vr != b"SQ" else value if length == UNDEFINED else value + length
        yield Element(group << 16 | number, vr, start, value, end)
        start = value if vr == b"SQ" else end


def with_value(
    data: bytes, element: Element, value: bytes, vr: bytes | None = None, length: int | None = None
) -> bytes:
    """Return the file with another value, and by default its length."""
    vr = vr or element.vr
    length = len(value) if length is None else length
    packed = struct.pack("<HI", 0, length & UNDEFINED) if vr in LONG else struct.pack("<H", length & 0xFFFF)
    return data[: element.start + 4] + vr + packed + value + data[element.end :]


NUMBERS = st.one_of(
    st.sampled_from(["NaN", "inf", "-inf", "1e308", "-1e400", "1e-300", "0", "-0", "-1", "1,5", "0x10", "1_000", "٣"]),
    st.integers(-(10**15), 10**15).map(str),
    st.floats(-2000, 2000).map(lambda value: f"{value:.6g}"),
    st.just("9" * 400),
)
TEXTS = st.one_of(
    NUMBERS,
    st.lists(NUMBERS, min_size=0, max_size=8).map("\\".join),
    st.text(max_size=24),
    st.sampled_from(["", " ", "\0", "\\", "\\\\", "x" * 4000, "^", "\x1b$B", "LOCALIZER", "MR", "None"]),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
BYTES = st.one_of(TEXTS, st.binary(max_size=16), st.sampled_from([b"\xe4\xf6\xfc", b"\xff\xfe", b"\x1b(B\x1b$)C\xb1"]))
WORDS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 7, 8, 12, 15, 16, 17, 24, 32, 64, 0x7FFF, 0xFFFF]), st.integers(0, 0xFFFF)
)
OTHER_VRS = [
    b"US",
    b"SS",
    b"UL",
    b"FD",
    b"FL",
    b"DS",
    b"IS",
    b"LO",
    b"PN",
    b"UI",
    b"SQ",
    b"OB",
    b"OW",
    b"UN",
    b"AT",
    b"??",
]


@st.composite
def element_damage(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Delete, empty, rewrite, double or mislabel an element, also of group 2 or inside a sequence."""
    name = draw(st.sampled_from(names))
    kind = draw(st.sampled_from(["delete", "empty", "text", "text", "bytes", "words", "vr", "length", "double", "tag"]))
    files = base(name)
    all_elements = [
        element for element in elements(next(iter(files.values()))) if element.tag != PIXEL_DATA or kind != "text"
    ]
    element = draw(st.sampled_from(all_elements))
    # Half of the damage goes to elements that a reader needs, since most of a header does not describe the image.
    vital = [
        e for e in all_elements if e.tag in {tag_for_keyword(keyword) for keyword in (*GEOMETRY, *VALUES, *PIXELS)}
    ]
    if draw(st.booleans()):
        element = draw(st.sampled_from(vital))
    value = draw({"text": TEXTS, "words": WORDS.map(lambda n: struct.pack("<H", n))}.get(kind, BYTES))
    vr = draw(st.sampled_from(OTHER_VRS))
    lie = draw(st.one_of(st.integers(-8, 8), st.sampled_from([100, 255, 0x7FFFFFFF, 0xFFFF]))) or 1
    infinite = draw(st.booleans())
    index = all_elements.index(element)

    def change(data: bytes) -> bytes:
        damaged_elements = [e for e in elements(data) if e.tag != PIXEL_DATA or kind != "text"]
        if index >= len(damaged_elements):
            return data
        e = damaged_elements[index]
        content = data[e.value : e.end]
        if kind == "delete":
            return data[: e.start] + data[e.end :]
        if kind == "double":
            return data[: e.end] + data[e.start :]
        if kind == "vr":
            return with_value(data, e, content, vr)
        if kind == "tag":
            return data[: e.start] + (value + b"\0\0\0\0")[:4] + data[e.start + 4 :]
        if kind == "length":
            return with_value(data, e, content, length=UNDEFINED if infinite else max(len(content) + lie, 0))
        return with_value(data, e, b"" if kind == "empty" else value)

    which, damaged = one_or_all(draw, files, change)
    return f"{name}: {kind} of {element.vr.decode()} {element.tag:08X} in {which}, {value!r:.60}", damaged


def set_elements(data: bytes, values: dict[str, bytes]) -> bytes:
    """Set every occurrence of these elements; insert those that are missing before the pixel data."""
    all_elements = list(elements(data))
    for element in reversed(all_elements):
        for keyword, value in values.items():
            if element.tag == tag_for_keyword(keyword):
                data = with_value(data, element, value)
    for keyword, value in sorted(values.items(), key=lambda pair: -int(tag_for_keyword(pair[0]) or 0)):
        tag = int(tag_for_keyword(keyword) or 0)
        if all(element.tag != tag for element in all_elements):
            at = next(element.start for element in elements(data) if element.tag == PIXEL_DATA)
            head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + dictionary_VR(tag).encode()
            data = data[:at] + head + struct.pack("<H", len(value)) + value + data[at:]
    return data


@st.composite
def pixel_description_damage(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Change up to three of the elements that describe the pixels (PS3.3 section C.7.6.3)."""
    name = draw(st.sampled_from(names))
    files = base(name)
    keywords = draw(st.lists(st.sampled_from(PIXELS), min_size=1, max_size=3, unique=True))
    rows_and_columns = draw(st.integers(0, 7)) == 0
    photometric = st.sampled_from(
        ["RGB", "MONOCHROME1", "MONOCHROME2", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "PALETTE COLOR", "CMYK"]
    )
    values: dict[str, bytes] = {}
    for keyword in keywords:
        if keyword == "PhotometricInterpretation":
            text: str = draw(photometric)
            values[keyword] = text.encode().ljust(len(text) + len(text) % 2)
        elif keyword == "NumberOfFrames":
            values[keyword] = str(draw(WORDS)).encode()
        else:
            values[keyword] = struct.pack("<H", draw(WORDS))
    if rows_and_columns:  # exchanged: as many pixels as before
        all_elements = {e.tag: data[e.value : e.end] for data in [next(iter(files.values()))] for e in elements(data)}
        values = {
            "Rows": all_elements[int(tag_for_keyword("Columns") or 0)],
            "Columns": all_elements[int(tag_for_keyword("Rows") or 0)],
        }
    which, damaged = one_or_all(draw, files, lambda data: set_elements(data, values))
    return f"{name}: {values} in {which}", damaged


@st.composite
def syntax_damage(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Set another transfer syntax, known or unknown."""
    name = draw(st.sampled_from(names))
    syntaxes = sorted(uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax")
    syntax = draw(
        st.one_of(st.sampled_from(syntaxes), st.sampled_from(["", "1.2.3", "1.2.840.10008.1.2.4.999", "JPEG"]))
    )
    which, damaged = one_or_all(
        draw,
        base(name),
        lambda data: set_elements(
            data, {"TransferSyntaxUID": syntax.encode().ljust(len(syntax) + len(syntax) % 2, b"\0")}
        ),
    )
    return f"{name}: transfer syntax {syntax} in {which}", damaged


@st.composite
def geometry_damage(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Change position, orientation, spacing or rescale a little or much, of one slice or all, one frame or all."""
    name = draw(st.sampled_from(names))
    files = base(name)
    keyword = draw(st.sampled_from([*GEOMETRY[:3], *GEOMETRY, "RescaleSlope", "RescaleIntercept"]))
    amount = draw(st.one_of(st.floats(-1e-3, 1e-3), st.floats(-0.3, 0.3), st.floats(-8, 8), st.floats(-1e7, 1e7)))
    component, frame = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    swap_axes = draw(st.booleans())

    def change(data: bytes) -> bytes:
        occurrences = [element for element in elements(data) if element.tag == tag_for_keyword(keyword)]
        if not occurrences:
            return data
        element = occurrences[frame % len(occurrences)]
        numbers = [float(text) for text in data[element.value : element.end].decode().split("\\")]
        if swap_axes and len(numbers) == 6:
            numbers = [*numbers[3:], *numbers[:3]]
        else:
            numbers[component % len(numbers)] += amount
        text = "\\".join(f"{number:.9g}"[:16] for number in numbers).encode()
        return with_value(data, element, text + b" " * (len(text) % 2))

    which, damaged = one_or_all(draw, files, change)
    return f"{name}: {keyword}[{component}] + {amount} (axes swapped: {swap_axes}) in {which}", damaged


def nested(data: bytes, keyword: str, depth: int, undefined: bool) -> bytes:
    """Return the file with ``depth`` nested sequences before its pixel data."""
    tag = int(tag_for_keyword(keyword) or 0)
    start = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"SQ", 0)
    item, item_end, end = (struct.pack("<HH", 0xFFFE, number) for number in (0xE000, 0xE00D, 0xE0DD))
    endless, zero = struct.pack("<I", UNDEFINED), bytes(4)
    inner = b""
    for _ in range(depth):
        if undefined:
            inner = start + endless + item + endless + inner + item_end + zero + end + zero
        else:
            inner = start + struct.pack("<I", len(inner) + 8) + item + struct.pack("<I", len(inner)) + inner
    at = next(element.start for element in elements(data) if element.tag == PIXEL_DATA)
    return data[:at] + inner + data[at:]
