"""NIfTI files that are opened once: the header as it is stored, and the voxels that follow it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.expand import GZIP, damaged_stream, expand, fill
from s3net_monai.io.file_bytes import blocks_of, open_file, size_of
from s3net_monai.io.limits import MAX_NIFTI_OFFSET, check_capacity
from s3net_monai.io.surplus import is_padding, spare_bytes, surplus_notes
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.reasons import in_words

_SILENT = logging.Logger(__name__, logging.CRITICAL + 1)  # nibabel tells a console of every field that it repairs
_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_HEADER = 540  # bytes, of NIfTI-2


@dataclass(frozen=True, kw_only=True)
class NiftiFile:
    """An open file.

    Attributes:
        name: of the file.
        raw: nibabel's header, with every field as it is stored.
        header: the same, as nibabel repairs it: a voxel size of 0 becomes 1.
        blocks: the whole file, expanded, from its first byte on; they can be taken once.
        stored: bytes of the file.
        compressed: whether it is gzip.
    """

    name: str
    raw: Any
    header: Any
    blocks: Iterator[bytes]
    stored: int
    compressed: bool


@contextmanager
def open_nifti(path: Path) -> Iterator[NiftiFile]:
    """Open one NIfTI file and read its header, which is checked no further than nibabel does.

    Raises:
        CaseError: if it is damaged, or not compressed as its name says.
    """
    compressed = path.name.lower().endswith(".gz")
    with open_file(path) as file:
        first = file.read(_LONGEST_HEADER)
        _check_name(path, first, compressed)
        blocks: Iterator[bytes] = chain([first], blocks_of(file))
        if compressed:
            blocks = expand(path.name, blocks, GZIP)
            first = b""
            while len(first) < _LONGEST_HEADER and (block := next(blocks, b"")):
                first += block
            blocks = chain([first], blocks)
        raw, header = _headers(path, first)
        yield NiftiFile(
            name=path.name, raw=raw, header=header, blocks=blocks, stored=size_of(file), compressed=compressed
        )


def check_storage(file: NiftiFile, shape: Sequence[int]) -> None:
    """Refuse color, complex values, and a file that is shorter or longer than its voxels.

    Raises:
        CaseError: naming what was found.
    """
    dtype, offset = file.header.get_data_dtype(), file.header.get_data_offset()
    if dtype.fields is not None:
        raise CaseError(f"{file.name}: color voxels found, one channel expected; give the image itself")
    if dtype.kind == "c":
        raise CaseError(f"{file.name}: complex voxels found, one real value each expected; save their magnitude")
    needed = math.prod(shape) * dtype.itemsize
    check_capacity(file.name, needed=needed + offset, stored=file.stored, compressed=file.compressed)
    if not file.compressed:
        _check_surplus(file.name, file.stored - offset - needed, needed, shape)


def read_voxels(file: NiftiFile, shape: Sequence[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the scaled voxels of an open file, as nibabel scales them, and a note of bytes that follow them.

    Args:
        file: of which no block has been taken.
        shape: of the voxels, without trailing axes of length 1.

    Raises:
        CaseError: if its compressed stream is damaged, or holds fewer or more voxels than its header says.
    """
    from nibabel.volumeutils import apply_read_scaling

    dtype = file.header.get_data_dtype()
    array = np.empty(math.prod(shape), dtype)
    spare = spare_bytes(array.nbytes, shape)
    filled, surplus = fill(file.blocks, array.view(np.uint8).data, skip=file.header.get_data_offset(), spare=spare)
    if filled < array.nbytes:
        raise damaged_stream(file.name, f"{array.nbytes} bytes of voxels expected, {filled} found")
    _check_surplus(file.name, len(surplus), array.nbytes, shape)
    if not is_padding(surplus):
        raise damaged_stream(file.name, f"{len(surplus)} bytes follow its voxels, zeros or none expected")
    slope, inter = file.header.get_slope_inter()
    return apply_read_scaling(array.reshape(shape, order="F"), slope, inter), surplus_notes(surplus)


def _check_surplus(name: str, surplus: int, needed: int, shape: Sequence[int]) -> None:
    if surplus > spare_bytes(needed, shape):
        raise CaseError(
            f"{name}: holds more than the voxels of its header ({needed} bytes expected); correct its dim, or save it "
            "again"
        )


def _headers(path: Path, start: bytes) -> tuple[Any, Any]:
    """Return the header as it is stored and as nibabel repairs it."""
    from nibabel import Nifti1Header, Nifti2Header

    kind: Any = Nifti2Header if _header_size(start, Nifti2Header.sizeof_hdr) else Nifti1Header
    try:
        raw = kind(start[: kind.sizeof_hdr], check=False)
        if not raw["vox_offset"] <= MAX_NIFTI_OFFSET:
            raise CaseError(
                f"{path.name}: voxels begin at byte {raw['vox_offset']:.0f}, beyond the limit; save it again"
            )
        if not kind.sizeof_hdr <= raw["vox_offset"]:
            raise CaseError(
                f"{path.name}: voxels begin at byte {raw['vox_offset']:.0f} by vox_offset, within the header of "
                f"{kind.sizeof_hdr} bytes; save it again"
            )
        header = raw.copy()
        header.check_fix(logger=_SILENT)
        return raw, header
    except CaseError:
        raise
    except Exception as error:  # damaged headers raise struct, value and header errors
        raise CaseError(in_words(error, f"{path.name}: not readable as NIfTI", "copy it again", path)) from error


def _check_name(path: Path, start: bytes, named_gzip: bool) -> None:
    """Refuse a file that is compressed though its name does not say so, or the other way round."""
    if start.startswith(_GZIP_MAGIC) and not named_gzip:
        raise CaseError(f"{path.name}: is gzip-compressed, which its name does not say; rename it to {path.name}.gz")
    if named_gzip and not start.startswith(_GZIP_MAGIC) and (_header_size(start, 348) or _header_size(start, 540)):
        raise CaseError(f"{path.name}: is not gzip-compressed, though named so; rename it to {path.name[:-3]}")
    if named_gzip and not start.startswith(_GZIP_MAGIC):
        raise CaseError(f"{path.name}: not readable as NIfTI (it does not begin as gzip does); copy it again")


def _header_size(start: bytes, size: int) -> bool:
    return size in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
