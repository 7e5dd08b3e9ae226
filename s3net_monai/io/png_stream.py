"""Checks of a PNG file against its own checksums and sizes, before it is decoded.

Pillow checks neither the CRC of the chunks that hold pixels nor, where it has all pixels before, the end of their
stream.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from s3net_monai.io.expand import ZLIB, damaged_stream, expand

_SIGNATURE_BYTES = 8
_HEADER = struct.Struct(">II5B")  # width, height, bit depth, color type, compression, filter, interlace (IHDR)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
_PALETTE = 3  # color type
# Start and step of columns and rows in the seven passes of an interlaced image (PNG specification, Adam7).
_PASSES = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))


def check_png(name: str, content: bytes) -> None:
    """Compare the CRC of every chunk, the checksum of the pixels and their number.

    Bytes after the last chunk are left out, as by every decoder.

    Args:
        name: of the file, for messages.
        content: the file.

    Raises:
        CaseError: if it is damaged, or holds fewer or more pixels than its header says.
    """
    expected = -1
    pixels: list[bytes] = []
    palette_missing = False
    for kind, data in _chunks(name, content):
        if kind == b"IHDR":
            expected = _expected_bytes(name, data)
            palette_missing = data[9] == _PALETTE
        elif kind == b"PLTE":
            palette_missing = False
        elif kind == b"IDAT":
            pixels.append(data)
    if palette_missing:
        raise damaged_stream(name, "colors of a palette by its header, but no palette")
    found = 0
    for block in expand(name, iter(data for data in pixels if data), ZLIB):
        found += len(block)
        if found > expected:
            break
    if found != expected:
        more = "more than " if found > expected else ""
        raise damaged_stream(
            name, f"{expected} bytes of pixels expected by its sizes, {more}{min(found, expected)} found"
        )


def _chunks(name: str, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and data of every chunk up to the last one, IEND."""
    position = _SIGNATURE_BYTES
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        kind, data = content[position + 4 : position + 8], content[position + 8 : end]
        (stated,) = struct.unpack_from(">I", content, end) if end + 4 <= len(content) else (None,)
        if stated != zlib.crc32(data, zlib.crc32(kind)):
            raise damaged_stream(name, "the checksum of a part is wrong")
        yield kind, data
        if kind == b"IEND":
            return
        position = end + 4
    raise damaged_stream(name, "it has no end")


def _expected_bytes(name: str, header: bytes) -> int:
    """Return how many bytes the pixels take, with one for the filter of every row."""
    if len(header) != _HEADER.size:
        raise damaged_stream(name, "its header has another length")
    width, height, depth, color, _, _, interlaced = _HEADER.unpack(header)
    bits = depth * _CHANNELS.get(color, 0)
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, dx, y, dy in _PASSES]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
