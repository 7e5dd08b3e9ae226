"""Checks of the strips or tiles of a TIFF file against its tags and checksums, before it is decoded.

libtiff stops expanding deflate where a strip is full, and so does not see the checksum that follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from PIL import Image

from s3net_monai.io.expand import ZLIB, damaged_stream, expand
from s3net_monai.utils.errors import CaseError

# Tags of TIFF 6.0 section 8.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS_PER_STRIP = 256, 257, 258, 259, 262, 277, 278
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 284, 322, 323
_OFFSETS, _LENGTHS = (273, 324), (279, 325)  # of strips, of tiles
_RAW, _PACK_BITS, _DEFLATE = 1, 32773, (8, 32946)
_YCBCR = 6  # whose colors may have fewer samples
_HEADER_BYTES = 8
_PADDING = 3  # bytes, as some writers begin every strip at a word


def check_tiff(name: str, content: bytes, image: Image.Image) -> None:
    """Compare number, lengths and checksums of the strips or tiles with what the tags say.

    Only deflate has a checksum. Of compressions other than that and PackBits the number of strips alone is compared.
    Zeros may follow the rows of a last strip up to the length of the others, as some writers pad it; anything else
    would be rows that a damaged height leaves out.

    Args:
        name: of the file, for messages.
        content: the file.
        image: the same, as Pillow opened it.

    Raises:
        CaseError: if a strip is damaged, lies outside the file, or has another length than its rows.
    """
    tags: Any = image.tag_v2  # type: ignore[attr-defined]  # of a TIFF
    offsets, lengths = (next((tags[tag] for tag in kind if tag in tags), ()) for kind in (_OFFSETS, _LENGTHS))
    expected = list(_segment_bytes(tags))
    compression = tags.get(_COMPRESSION, _RAW)
    if len(offsets) != len(expected) or len(lengths) not in (0, len(offsets)):
        raise CaseError(
            f"{name}: {len(offsets)} strips or tiles found, {len(expected)} expected by its sizes; save it again"
        )
    directory, directory_end = _directory(content)
    for offset, length, (needed, allowed) in zip(offsets, lengths, expected, strict=False):
        segment = content[offset : offset + length]
        if len(segment) < length:
            raise damaged_stream(name, "a strip lies outside the file")
        if offset < _HEADER_BYTES or (offset < directory_end and directory < offset + length):
            raise damaged_stream(name, "a strip lies where the tags are")
        padding, after = _PADDING, b"not known"
        if compression in _DEFLATE:
            found, after = _expanded_bytes(name, segment, needed, allowed)
            padding = 0
        elif compression == _PACK_BITS:
            found = _unpacked_bytes(segment)
        elif compression == _RAW and length:
            found, after = length, segment[needed:] if needed is not None else b""
        else:
            continue
        if needed is None or needed <= found <= needed + padding:
            continue
        if not needed < found <= allowed or after.strip(b"\0"):
            raise damaged_stream(name, f"a strip of {found} bytes found, {needed} expected by its sizes")


def _expanded_bytes(name: str, segment: bytes, needed: int | None, allowed: int) -> tuple[int, bytes]:
    """Return how many bytes a strip of deflate expands to, little more than ``allowed``, and those after its rows."""
    found, after = 0, bytearray()
    for block in expand(name, iter([segment]), ZLIB):
        found += len(block)
        if needed is not None and found > needed:
            after += block[-min(found - needed, len(block)) :]
            if found > allowed:
                break
    return found, bytes(after)


def _unpacked_bytes(segment: bytes) -> int:
    """Return how many bytes a strip of PackBits expands to (TIFF 6.0 section 9)."""
    position = found = 0
    while position < len(segment):
        head = segment[position]
        position += 2 + head if head < 128 else 1 if head == 128 else 2
        found += 1 + head if head < 128 else 0 if head == 128 else 257 - head
    return found


def _directory(content: bytes) -> tuple[int, int]:
    """Return where the first directory of tags begins and ends."""
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    is_big_tiff = int.from_bytes(content[2:4], order) == 43
    start, width, entry = (8, 8, 20) if is_big_tiff else (4, 4, 12)  # bytes
    directory = int.from_bytes(content[start : start + width], order)
    count_bytes = 8 if is_big_tiff else 2
    return directory, directory + count_bytes + entry * int.from_bytes(content[directory:][:count_bytes], order)


def _segment_bytes(tags: Any) -> Iterator[tuple[int | None, int]]:
    """Yield the bytes of every strip or tile, expanded, and how many it has at most with zeros that pad it.

    The former are None where the tags alone do not tell.
    """
    width, height, samples = int(tags[_WIDTH]), int(tags[_HEIGHT]), int(tags.get(_SAMPLES, 1))
    bits = set(tags.get(_BITS, (1,)))
    planes = samples if tags.get(_PLANAR, 1) == 2 else 1
    known = len(bits) == 1 and tags.get(_PHOTOMETRIC) != _YCBCR
    bits_per_pixel = bits.pop() * samples // planes
    tile_width, tile_height = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_HEIGHT, 0))
    for _ in range(planes):
        if tile_width and tile_height:
            tile = tile_height * -(-tile_width * bits_per_pixel // 8)
            for _ in range(-(-width // tile_width) * -(-height // tile_height)):
                yield (tile if known else None), tile
            continue
        rows_per_strip = int(tags.get(_ROWS_PER_STRIP, height)) or height
        for first in range(0, height, rows_per_strip):
            rows = min(rows_per_strip, height - first)
            row = -(-width * bits_per_pixel // 8)
            # A strip alone has no others that are longer, and would hide that the height is wrong.
            yield (rows * row if known else None), (rows_per_strip if first else rows) * row
