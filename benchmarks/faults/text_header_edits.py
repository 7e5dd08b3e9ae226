"""Edits of single fields of headers that are lines of text: NRRD and MetaImage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from benchmarks.faults.sound_files import SHAPE

Change = Callable[[bytes], bytes]


def _line(pattern: str, new: str) -> Change:
    return lambda data: re.sub(f"(?m){pattern}".encode(), new.encode(), data, count=1)


def _sizes() -> Iterator[str]:
    for axis, size in enumerate(SHAPE):
        for other in (1, size - 1, size + 1, size * 2, 0, -size, 10**9):
            yield " ".join(str(other if index == axis else known) for index, known in enumerate(SHAPE))
    yield from ("40 32", "40 32 12 1", "40 32 12 2", "40 32 x", "")


def nrrd_edits(*, deflated: bool) -> Iterator[tuple[str, Change, bool]]:
    """Yield (name, change, whether the file contradicts it) of the fields of an NRRD header."""
    for sizes in _sizes():
        yield f"sizes: {sizes}", _line("^sizes: .*$", f"sizes: {sizes}"), True
    for count in (1, 2, 4, 99):
        yield f"dimension: {count}", _line("^dimension: 3$", f"dimension: {count}"), True
    for kind in ("char", "int", "float", "double", "block", "uint64"):
        yield f"type: {kind}", _line("^type: short$", f"type: {kind}"), True
    for encoding in ("raw", "gzip", "ascii", "hex", "bzip2"):
        if encoding != ("gzip" if deflated else "raw"):
            yield f"encoding: {encoding}", _line("^encoding: .*$", f"encoding: {encoding}"), True
    for added in (
        "spacings: 1 2 3",
        "space dimension: 3",
        "space: right-anterior-superior",
        "number: 7",
        "axis mins: 0 0 0",
        "byte skip: 2",
        "line skip: 1",
        "sizes: 40 32 12",
    ):
        yield added, _line("^endian", f"{added}\nendian"), True
    for vectors in (
        "(1.5,0,0) (0,2,0)",
        "(1.5,0) (0,2) (0,0)",
        "(1.5,0,0) (0,2,0) (0,0,5) (0,0,5)",
        "(nan,0,0) (0,2,0) (0,0,5)",
    ):
        yield f"space directions: {vectors}", _line("^space directions: .*$", f"space directions: {vectors}"), True
    yield (
        "space directions: wider",
        _line("^space directions: .*$", "space directions: (1.6,0,0) (0,2,0) (0,0,5)"),
        False,
    )
    yield "space origin: two", _line("^space origin: .*$", "space origin: (1,2)"), True
    yield "space origin: other", _line("^space origin: .*$", "space origin: (1,2,3)"), False
    yield "kinds: two", _line("^kinds: .*$", "kinds: domain domain"), True
    yield "kinds: list", _line("^kinds: .*$", "kinds: domain domain list"), True
    yield "endian: none", _line("^endian: .*$", "endian: middle"), True
    yield "endian: big", _line("^endian: .*$", "endian: big"), False
    yield "space: RAS", _line("^space: .*$", "space: right-anterior-superior"), False


def meta_image_edits() -> Iterator[tuple[str, Change, bool]]:
    """Yield (name, change, whether the file contradicts it) of the fields of a MetaImage header."""
    for sizes in _sizes():
        yield f"DimSize = {sizes}", _line("^DimSize = .*$", f"DimSize = {sizes}"), True
    for count in (1, 2, 4):
        yield f"NDims = {count}", _line("^NDims = 3$", f"NDims = {count}"), True
    for kind in ("MET_CHAR", "MET_INT", "MET_DOUBLE", "MET_NONE", "MET_SHORT_ARRAY"):
        yield kind, _line("MET_SHORT$", kind), True
    for added in (
        "ElementSize = 1 2 3",
        "Position = 7 8 9",
        "Origin = 7 8 9",
        "Rotation = 0 1 0 1 0 0 0 0 1",
        "Orientation = -1 0 0 0 1 0 0 0 1",
        "ElementByteOrderMSB = True",
        "HeaderSize = 3",
        "HeaderSize = 99999",
        "CompressedData = True",
        "DimSize = 40 32 12",
        "ElementNumberOfChannels = 2",
    ):
        yield added, _line("^ElementType", f"{added}\nElementType"), True
    yield "CompressedData other", _flipped("CompressedData"), True
    yield "BinaryData other", _flipped("BinaryData"), True
    yield "CompressedDataSize", _line("^CompressedDataSize = ([0-9]+)$", r"CompressedDataSize = \g<1>0"), True
    yield "CompressedDataSize less", _line("^CompressedDataSize = ([0-9]+)[0-9]$", r"CompressedDataSize = \g<1>"), True
    yield "TransformMatrix", _line("^TransformMatrix = 1 0 0", "TransformMatrix = -1 0 0"), True
    yield "TransformMatrix exchanged", _line("^TransformMatrix = .*$", "TransformMatrix = 0 1 0 1 0 0 0 0 1"), True
    yield "TransformMatrix long", _line("^TransformMatrix = 1 0 0", "TransformMatrix = 2 0 0"), True
    yield "Offset", _line("^Offset = .*$", "Offset = 1 2 3"), False
    yield "ElementSpacing", _line("^ElementSpacing = .*$", "ElementSpacing = 1.6 2 5"), False
    yield "BinaryDataByteOrderMSB", _flipped("BinaryDataByteOrderMSB"), False


def _flipped(name: str) -> Change:
    def change(data: bytes) -> bytes:
        old = re.search(rf"(?m)^{name} = (True|False)$".encode(), data)
        new = b"False" if old and old[1] == b"True" else b"True"
        return data if old is None else data[: old.start(1)] + new + data[old.end(1) :]

    return change
