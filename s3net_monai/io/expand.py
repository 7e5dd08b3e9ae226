"""Expansion of compressed streams to their very end, where their checksum and length stand.

Most readers stop where they have all values, and so notice damage only where it makes the stream unreadable. Here zlib
itself compares: the CRC-32 and the length of gzip (RFC 1952), the Adler-32 of zlib (RFC 1950).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from s3net_monai.utils.errors import CaseError

ZLIB = zlib.MAX_WBITS
GZIP = zlib.MAX_WBITS | 16
ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
RAW_DEFLATE = -zlib.MAX_WBITS  # without a checksum
EXPANDED_AT_ONCE = 2**20  # bytes
_GZIP_MAGIC = b"\x1f\x8b"


def damaged_stream(name: str, problem: str) -> CaseError:
    """Return the error for a stream that is not whole."""
    return CaseError(f"{name}: damaged or cut off ({problem}); copy the file again")


def expand(name: str, blocks: Iterator[bytes], wbits: int) -> Iterator[bytes]:
    """Yield what a compressed stream holds; whoever takes all of it knows that it is undamaged.

    gzip may consist of several members (RFC 1952 section 2.2). Zeros may follow any stream, as tapes and even lengths
    pad.

    Args:
        name: of the file, for messages.
        blocks: the stream.
        wbits: ``ZLIB``, ``GZIP``, ``ZLIB_OR_GZIP`` or ``RAW_DEFLATE``.

    Yields:
        Blocks of at most ``EXPANDED_AT_ONCE`` bytes, so that a limit can be applied before more is expanded.

    Raises:
        CaseError: if the stream is damaged, ends early, or is followed by other bytes than zeros.
    """
    data = next(blocks, b"")
    if not data:
        raise damaged_stream(name, "no compressed stream found")
    while data:
        is_gzip = wbits == GZIP or (wbits == ZLIB_OR_GZIP and data.startswith(_GZIP_MAGIC))
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            try:
                expanded = stream.decompress(data, EXPANDED_AT_ONCE)
            except zlib.error as error:
                raise damaged_stream(name, str(error).rpartition(": ")[2]) from error
            if expanded:
                yield expanded
            if not stream.eof:
                data = stream.unconsumed_tail or next(blocks, b"")
                if not (data or expanded):
                    raise damaged_stream(name, "its compressed stream has no end")
        data = stream.unused_data or next(blocks, b"")
        while data and not (data := data.lstrip(b"\0")):
            data = next(blocks, b"")
        if data and not (is_gzip and data.startswith(_GZIP_MAGIC[: len(data)])):
            raise damaged_stream(name, "other bytes follow its compressed stream")


def fill(blocks: Iterator[bytes], target: memoryview, *, skip: int = 0, spare: int = 0) -> tuple[int, bytes]:
    """Write blocks into memory, and take all that remain.

    Args:
        blocks: of bytes.
        target: bytes to fill.
        skip: bytes to leave out at the start.
        spare: bytes that may be left over; with more of them no further block is taken.

    Returns:
        How many bytes of the target were filled, and those that were left over.
    """
    filled, left_over = 0, bytearray()
    for block in blocks:
        data = memoryview(block)[skip:]
        skip -= len(block) - len(data)
        taken = min(len(data), len(target) - filled)
        target[filled : filled + taken] = data[:taken]
        filled += taken
        left_over += data[taken:]
        if len(left_over) > spare:
            break
    return filled, bytes(left_over)
