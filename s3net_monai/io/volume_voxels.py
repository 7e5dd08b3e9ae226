"""Voxels of NRRD and MetaImage files: read from an open file, decompressed to the end and of the exact number.

ITK returns the readable part of a damaged stream, and reads files by name only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from s3net_monai.io.expand import GZIP, ZLIB_OR_GZIP, expand, fill
from s3net_monai.io.file_bytes import BLOCK_BYTES, blocks_of, size_of
from s3net_monai.io.surplus import is_padding, spare_bytes, surplus_notes
from s3net_monai.utils.errors import CaseError

Packing = Literal["raw", "gzip", "zlib", "text", "hex"]
FROM_END = -1
_WBITS = {"gzip": GZIP, "zlib": ZLIB_OR_GZIP}  # MetaIO takes both as "zlib"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How the voxels lie in a file.

    Attributes:
        dtype: of a voxel, with its byte order.
        packing: of the voxels.
        start: byte of the file where they begin.
        skip_lines: lines to leave out after that.
        skip_bytes: bytes to leave out after these, in a compressed stream after expansion; ``FROM_END`` where the
            voxels are the last bytes of the file.
        stream_bytes: stated length of the compressed stream, or None.
    """

    dtype: np.dtype
    packing: Packing
    start: int
    skip_lines: int = 0
    skip_bytes: int = 0
    stream_bytes: int | None = None


def check_length(name: str, storage: Storage, shape: Sequence[int], stored: int) -> None:
    """Refuse a file whose length contradicts the sizes in its header, where the header alone tells the length.

    Excess voxels, too: they mean other sizes than the header's, which would shift every row. Less than one more index
    along any axis needs may be padding, of which ``read_voxels`` decides.

    Args:
        name: of the file, for messages.
        storage: of its voxels.
        shape: of the voxels.
        stored: bytes of the file that holds them.

    Raises:
        CaseError: naming both lengths.
    """
    needed = math.prod(shape) * storage.dtype.itemsize
    left = stored - storage.start
    spare = spare_bytes(needed, shape)
    if storage.stream_bytes is not None and not 0 <= left - storage.stream_bytes <= spare:
        raise CaseError(
            f"{name}: {left} bytes of compressed voxels found, {storage.stream_bytes} expected by CompressedDataSize; "
            "copy it again"
        )
    if storage.packing != "raw" or storage.skip_lines:
        return
    if storage.skip_bytes == FROM_END:
        left = min(left, needed)
    else:
        left -= storage.skip_bytes
    if not needed <= left <= needed + spare:
        raise _wrong_length(name, str(left), needed)


def read_voxels(
    name: str, file: BinaryIO, storage: Storage, shape: Sequence[int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the voxels (X, Y, ...) of an open file, and a note of bytes that follow them.

    Raises:
        CaseError: if a compressed stream is damaged, or if they are not exactly as many as the header says.
    """
    array = np.empty(math.prod(shape), storage.dtype)
    if storage.packing == "raw" and storage.skip_bytes == FROM_END:
        file.seek(max(size_of(file) - array.nbytes, storage.start))
    else:
        file.seek(storage.start)
        for _ in range(storage.skip_lines):
            if not file.readline():
                break
    notes: tuple[str, ...] = ()
    if storage.packing == "text":
        _fill_with_numbers(name, blocks_of(file), array)
    else:
        blocks, spare = blocks_of(file), spare_bytes(array.nbytes, shape)
        if storage.packing in _WBITS:
            stream = blocks if storage.stream_bytes is None else _blocks_within(file, storage.stream_bytes)
            blocks = expand(name, stream, _WBITS[storage.packing])
        elif storage.packing == "hex":
            blocks = _from_hex(name, blocks)
        filled, surplus = fill(blocks, array.view(np.uint8).data, skip=max(storage.skip_bytes, 0), spare=spare)
        if storage.stream_bytes is not None:
            surplus += file.read(spare + 1)
        if filled < array.nbytes or len(surplus) > spare or not is_padding(surplus):
            raise _wrong_length(name, f"more than {filled}" if surplus else str(filled), array.nbytes)
        notes = surplus_notes(surplus)
    return array.reshape(tuple(shape), order="F"), notes


def _blocks_within(file: BinaryIO, count: int) -> Iterator[bytes]:
    """Yield so many bytes of a file, in blocks."""
    while count > 0 and (block := file.read(min(count, BLOCK_BYTES))):
        count -= len(block)
        yield block


def _wrong_length(name: str, found: str, expected: int) -> CaseError:
    return CaseError(
        f"{name}: {found} bytes of voxels found, {expected} expected by its sizes; it is damaged or cut off, "
        "copy it again"
    )


def _fill_with_numbers(name: str, blocks: Iterator[bytes], array: np.ndarray) -> None:
    """Write the numbers of a text into an array."""
    count = 0
    for text in _whole_words(blocks):
        words = text.split()
        if count + len(words) > len(array):
            raise CaseError(f"{name}: more than {len(array)} voxels found in its text; copy it again")
        try:
            array[count : count + len(words)] = np.array(words).astype(array.dtype) if words else []
        except (ValueError, OverflowError) as error:
            raise CaseError(f"{name}: a word that is no {array.dtype} found among its voxels; copy it again") from error
        count += len(words)
    if count < len(array):
        raise CaseError(f"{name}: {count} voxels found in its text, {len(array)} expected by its sizes; copy it again")


def _from_hex(name: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes of hexadecimal digits."""
    odd = ""
    for block in blocks:
        digits = odd + "".join(block.decode("latin-1").split())
        even = len(digits) // 2 * 2
        odd = digits[even:]
        try:
            yield bytes.fromhex(digits[:even])
        except ValueError as error:
            raise CaseError(f"{name}: a character that is no hexadecimal digit found; copy it again") from error


def _whole_words(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a text in pieces that end between words."""
    rest = b""
    for block in blocks:
        text = rest + block
        cut = max(text.rfind(b" "), text.rfind(b"\n"), text.rfind(b"\t")) + 1
        yield text[:cut]
        rest = text[cut:]
    yield rest
