"""Strict checks of NRRD and MetaImage headers, before a lenient library reads them together with the voxels."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from s3net_monai.file_formats import META_SUFFIXES, NRRD_SUFFIXES
from s3net_monai.io.file_bytes import open_file, size_of
from s3net_monai.io.limits import MAX_VOLUME_HEADER, check_capacity, check_extent, check_voxels
from s3net_monai.io.volume_axes import without_last_axis, without_single_axis
from s3net_monai.io.volume_fields import damaged, meta_fields, meta_flag, meta_for_itk, nrrd_fields, nrrd_for_itk
from s3net_monai.io.volume_scale import VolumeScale, meta_scale, nrrd_scale
from s3net_monai.io.volume_voxels import FROM_END, Packing, Storage, check_length
from s3net_monai.utils.errors import CaseError

_TYPES = {  # names of a voxel's type, in lower case without blanks, and NumPy's codes
    **dict.fromkeys(("signedchar", "int8", "int8_t", "met_char"), "i1"),
    **dict.fromkeys(("uchar", "unsignedchar", "uint8", "uint8_t", "met_uchar"), "u1"),
    **dict.fromkeys(("short", "shortint", "signedshort", "signedshortint", "int16", "int16_t", "met_short"), "i2"),
    **dict.fromkeys(("ushort", "unsignedshort", "unsignedshortint", "uint16", "uint16_t", "met_ushort"), "u2"),
    **dict.fromkeys(("int", "signedint", "int32", "int32_t", "met_int", "met_long"), "i4"),
    **dict.fromkeys(("uint", "unsignedint", "uint32", "uint32_t", "met_uint", "met_ulong"), "u4"),
    **dict.fromkeys(("longlong", "longlongint", "signedlonglong", "signedlonglongint"), "i8"),
    **dict.fromkeys(("int64", "int64_t", "met_long_long"), "i8"),
    **dict.fromkeys(("ulonglong", "unsignedlonglong", "unsignedlonglongint"), "u8"),
    **dict.fromkeys(("uint64", "uint64_t", "met_ulong_long"), "u8"),
    **dict.fromkeys(("float", "met_float"), "f4"),
    **dict.fromkeys(("double", "met_double"), "f8"),
}
_NRRD_PACKINGS: dict[str, Packing] = {
    "raw": "raw",
    **dict.fromkeys(("gz", "gzip"), "gzip"),
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
    "hex": "hex",
}
_NRRD_SPACES = {  # those that refer to the patient's sides (NRRD format definition, section 5.2)
    *("right-anterior-superior", "ras", "left-anterior-superior", "las", "left-posterior-superior", "lps")
}
_LOCAL = ("LOCAL", "Local", "local")  # as MetaIO spells it
_NRRD_VECTOR = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, kw_only=True)
class VolumeHeader:
    """A checked header.

    Attributes:
        shape: (X, Y, Z), or with a first axis of layers where these were asked for.
        data: the file that holds the voxels: the header's own, or one beside it.
        storage: of the voxels in that file.
        scale: size, unit and scale of the voxels.
        fields: all fields, by the format's names; those of NRRD in lower case without blanks.
        for_itk: a header with what ITK needs for the position, without a data file.
    """

    shape: tuple[int, ...]
    data: Path
    storage: Storage
    scale: VolumeScale
    fields: dict[str, str]
    for_itk: bytes


def is_volume(path: Path) -> bool:
    """Return whether a file has a suffix of NRRD or MetaImage."""
    return path.suffix.lower() in (*NRRD_SUFFIXES, *META_SUFFIXES)


def read_volume_header(path: Path) -> VolumeHeader:
    """Read and check the header of one NRRD or MetaImage file.

    A header that a lenient parser might read differently is refused, since it is read again afterwards by a library
    that opens any data file that the header names.

    Raises:
        CaseError: if it is damaged, not one 3-D volume, of no or an impossible size in mm, beyond the limits of
            ``io.limits``, or if its voxels are neither in the file itself nor in one file of the same folder.
    """
    with open_file(path) as file:
        return check_volume_header(path, file)


def check_volume_header(path: Path, file: BinaryIO) -> VolumeHeader:
    """Read and check the header of an open file.

    Raises:
        CaseError: as ``read_volume_header``.
    """
    is_nrrd = path.suffix.lower() in NRRD_SUFFIXES
    text = file.read(MAX_VOLUME_HEADER).decode("latin-1")
    fields, length = (nrrd_fields if is_nrrd else meta_fields)(path, text)
    fields = (without_single_axis if is_nrrd else without_last_axis)(fields)
    shape = _shape(path, fields.get("sizes" if is_nrrd else "DimSize", ""))
    if is_nrrd:
        check_nrrd_position(path, fields)
    scale = (nrrd_scale if is_nrrd else meta_scale)(path.name, fields)
    storage = (nrrd_storage if is_nrrd else _meta_storage)(path, fields, length)
    name = fields.get("datafile") if is_nrrd else fields["ElementDataFile"]
    data = path if name is None or (name in _LOCAL and not is_nrrd) else _data_file(path, name)
    check_stored(path, storage, shape, size_of(file) if data == path else data.stat().st_size)
    check_extent(path.name, shape, np.diag([*(step * scale.mm for step in scale.spacing), 1.0]))
    return VolumeHeader(
        shape=shape,
        data=data,
        storage=storage,
        scale=scale,
        fields=fields,
        for_itk=nrrd_for_itk(text.split("\n")[0].strip(), fields) if is_nrrd else meta_for_itk(fields),
    )


def check_stored(path: Path, storage: Storage, shape: Sequence[int], stored: int) -> None:
    """Refuse a file that cannot hold exactly its voxels.

    Args:
        path: the file of the header, for messages.
        storage: of the voxels.
        shape: of the voxels.
        stored: bytes of the file that holds them.

    Raises:
        CaseError: naming both lengths.
    """
    if storage.packing in ("raw", "gzip", "zlib"):
        needed = math.prod(shape) * storage.dtype.itemsize
        check_capacity(path.name, needed=needed, stored=stored, compressed=storage.packing != "raw")
    check_length(path.name, storage, shape, stored)


def nrrd_storage(path: Path, fields: dict[str, str], length: int) -> Storage:
    """Return how the voxels of an NRRD file are stored.

    Args:
        path: the file, for messages.
        fields: of its header, whose sizes are checked.
        length: of its header in bytes.

    Raises:
        CaseError: for a type, encoding or byte order that is not known, or if a stated number of voxels contradicts
            the sizes.
    """
    count = str(math.prod(int(size) for size in fields["sizes"].split()))
    if fields.get("number", count) != count:
        raise CaseError(f"{path.name}: 'number' and 'sizes' in its header contradict each other; save it again")
    encoding, endian = fields.get("encoding", "").lower(), fields.get("endian", "").lower()
    packing = _NRRD_PACKINGS.get(encoding)
    if packing is None:
        raise CaseError(f"{path.name}: encoding '{encoding[:20]}' found, raw or gzip expected; save it again")
    dtype = _voxel_type(path, fields.get("type", ""), big_endian=endian == "big")
    if dtype.itemsize > 1 and packing != "text" and endian not in ("big", "little"):
        raise CaseError(f"{path.name}: endian '{endian[:20]}' found, little or big expected; save it again")
    skip_lines, skip_bytes = _count(path, fields, "lineskip"), _count(path, fields, "byteskip")
    if skip_bytes == FROM_END and packing != "raw":
        raise CaseError(f"{path.name}: 'byte skip' of -1 found, which only raw voxels have; save it again")
    return Storage(
        dtype=dtype,
        packing=packing,
        start=0 if "datafile" in fields else length,
        skip_lines=max(skip_lines, 0),
        skip_bytes=skip_bytes,
    )


def _meta_storage(path: Path, fields: dict[str, str], length: int) -> Storage:
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise CaseError(f"{path.name}: several components per voxel found, one channel expected; give the image itself")
    local = fields["ElementDataFile"] in _LOCAL
    packing: Packing = "raw"
    if meta_flag(fields, "CompressedData"):
        if "CompressedDataSize" not in fields and local:
            raise CaseError(
                f"{path.name}: compressed voxels without CompressedDataSize, which ITK needs to expand them; add their "
                "size in bytes to the header"
            )
        packing = "zlib"
    elif not meta_flag(fields, "BinaryData", default="True"):
        packing = "text"
    big_endian = any(meta_flag(fields, name) for name in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    header_size = _count(path, fields, "HeaderSize")  # from the start of the file that holds the voxels
    start = header_size if header_size > 0 else length if local else 0
    if (local and start < length) or (header_size == FROM_END and packing != "raw"):
        raise CaseError(f"{path.name}: HeaderSize {header_size} contradicts the rest of its header; correct it")
    return Storage(
        dtype=_voxel_type(path, fields.get("ElementType", ""), big_endian),
        packing=packing,
        start=start,
        skip_bytes=FROM_END if header_size == FROM_END else 0,
        stream_bytes=_count(path, fields, "CompressedDataSize")
        if packing == "zlib" and "CompressedDataSize" in fields
        else None,
    )


def _voxel_type(path: Path, name: str, big_endian: bool) -> np.dtype:
    code = _TYPES.get("".join(name.lower().split()))
    if code is None:
        raise CaseError(f"{path.name}: voxel type '{name[:40]}' found, integers or floats expected; convert it")
    return np.dtype(code).newbyteorder(">" if big_endian else "<")


def _count(path: Path, fields: dict[str, str], name: str) -> int:
    """Return a field that counts bytes or lines, -1 or more; 0 where it is missing."""
    text = fields.get(name, "0")
    if not re.fullmatch(r"-1|[0-9]{1,12}", text):
        raise damaged(path, f"{name} is '{text[:20]}'")
    return int(text)


def check_nrrd_position(path: Path, fields: dict[str, str]) -> None:
    """Refuse a space, an origin or directions of an NRRD header that libraries read differently or not at all.

    Raises:
        CaseError: naming the field.
    """
    space = fields.get("space", "").lower()
    if space and space not in _NRRD_SPACES:
        raise CaseError(
            f"{path.name}: space '{space[:40]}' does not refer to the patient's sides; save it as RAS or LPS"
        )
    if len(fields.get("sizes", "").split()) == 3 and "none" in fields.get("spacedirections", "").lower():
        raise CaseError(f"{path.name}: an axis without space direction found, three expected; repair the header")
    for field in ("space origin", "space directions"):
        _check_vectors(path, field, fields.get(field.replace(" ", ""), ""))
    directions, axes = fields.get("spacedirections", ""), len(fields.get("sizes", "").split())
    found = directions.count("(") + directions.count("none")
    if directions and found != axes:
        raise damaged(path, f"{found} space directions, but {axes} sizes")


def _check_vectors(path: Path, field: str, text: str) -> None:
    """Refuse what is no list of vectors (NRRD format definition, section 5): ITK reads what it can of it."""
    rest = text
    for vector in _NRRD_VECTOR.findall(text):
        rest = rest.replace(vector, "", 1)
        try:
            finite = all(math.isfinite(float(number)) for number in vector.strip("()").split(","))
        except ValueError:
            finite = False
        if not finite:
            raise damaged(path, f"'{field}' has a vector that is not of numbers")
    if rest.replace("none", "").strip():
        raise damaged(path, f"'{field}' is not a list of vectors")


def _shape(path: Path, sizes: str) -> tuple[int, ...]:
    words = sizes.split()
    if not words or not all(re.fullmatch("[0-9]{1,9}", word) and int(word) > 0 for word in words):
        raise CaseError(f"{path.name}: no usable sizes in its header ('{sizes[:40]}'); copy the file again")
    shape = tuple(int(word) for word in words)
    text = "x".join(words[:6])
    if len(shape) < 3:
        raise CaseError(f"{path.name}: shape {text} found, a 3-D volume expected; give slices as PNG")
    if len(shape) > 3:
        raise CaseError(
            f"{path.name}: shape {text} has {len(shape)} axes, one 3-D volume expected; save the one that you want, "
            "without components or frames"
        )
    check_voxels(path.name, shape)
    return shape


def _data_file(path: Path, name: str) -> Path:
    """Return the file beside the header that holds the voxels."""
    if name == "LIST" or name.startswith("LIST ") or "%" in name:
        raise CaseError(f"{path.name}: its voxels are in several files; save it as one file, .nrrd or .mha")
    plain = name[2:] if name.startswith("./") else name
    if plain in ("", ".", "..") or "/" in plain or "\\" in plain or ":" in plain:
        raise CaseError(f"{path.name}: its data file is outside its own folder; put both into one folder")
    data = path.parent / plain
    if data.resolve().parent != path.parent.resolve():
        raise CaseError(f"{path.name}: its data file is a link out of its folder; put both into one folder")
    if not data.is_file():
        raise CaseError(f"{path.name}: the data file that it names is not beside it; copy both files")
    return data
