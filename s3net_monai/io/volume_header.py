"""Strict checks of NRRD and MetaImage headers, before a lenient library reads them together with the voxels."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3net_monai.file_formats import META_SUFFIXES, NRRD_SUFFIXES
from s3net_monai.io.limits import check_capacity, check_extent, check_voxels
from s3net_monai.io.volume_fields import damaged, meta_fields, nrrd_fields
from s3net_monai.io.volume_scale import VolumeScale, meta_scale, nrrd_scale
from s3net_monai.utils.errors import CaseError

_BYTES = {
    **dict.fromkeys(("signedchar", "int8", "int8_t", "uchar", "unsignedchar", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "shortint", "signedshort", "signedshortint", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsignedshort", "unsignedshortint", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signedint", "int32", "int32_t", "uint", "unsignedint", "uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "int64", "int64_t", "ulonglong", "uint64", "uint64_t", "double"), 8),
    **dict.fromkeys(("met_char", "met_uchar"), 1),
    **dict.fromkeys(("met_short", "met_ushort"), 2),
    **dict.fromkeys(("met_int", "met_uint", "met_float"), 4),
    **dict.fromkeys(("met_long_long", "met_ulong_long", "met_double"), 8),
}
_NRRD_SPACES = {  # those that refer to the patient's sides (NRRD format definition, section 5.2)
    *("right-anterior-superior", "ras", "left-anterior-superior", "las", "left-posterior-superior", "lps")
}
_NRRD_VECTOR = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, kw_only=True)
class VolumeHeader:
    """A checked header.

    Attributes:
        shape: (X, Y, Z).
        data: the file that holds the voxels: the header's own, or one beside it.
        nbytes: bytes of all voxels.
        deflated_at: byte of ``data`` where a deflated stream begins that the library would not check, or None.
        scale: size, unit and scale of the voxels.
    """

    shape: tuple[int, ...]
    data: Path
    nbytes: int
    deflated_at: int | None
    scale: VolumeScale


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
    is_nrrd = path.suffix.lower() in NRRD_SUFFIXES
    layout = _nrrd_layout(path) if is_nrrd else _meta_layout(path)
    shape = _shape(path, layout.sizes)
    scale = (nrrd_scale if is_nrrd else meta_scale)(path.name, layout.fields)
    size = _BYTES.get("".join(layout.type_name.lower().split()))
    if size is None:
        raise CaseError(
            f"{path.name}: voxel type '{layout.type_name[:40]}' found, integers or floats expected; convert it"
        )
    data = path if layout.data_file is None else _data_file(path, layout.data_file)
    needed = math.prod(shape) * size
    if layout.packing != "text":
        check_capacity(path.name, needed=needed, stored=data.stat().st_size, compressed=layout.packing == "deflated")
    if layout.packing == "raw" and not layout.skips:
        _check_length(path, needed, data.stat().st_size - (layout.length if data == path else 0))
    deflated_at = None
    # ITK's NRRD reader ignores a wrong length, and the checksum of a stream that holds more than the voxels.
    if layout.packing == "deflated" and (path.suffix.lower() in META_SUFFIXES or not layout.skips):
        deflated_at = layout.length if data == path else 0
    check_extent(path.name, shape, np.diag([*(step * scale.mm for step in scale.spacing), 1.0]))
    return VolumeHeader(shape=shape, data=data, nbytes=needed, deflated_at=deflated_at, scale=scale)


def check_deflated_voxels(path: Path, header: VolumeHeader) -> None:
    """Expand deflated voxels without keeping them, since ITK returns the readable part of a damaged stream.

    Raises:
        CaseError: if the stream is damaged or does not hold exactly what the header promises.
    """
    if header.deflated_at is None:
        return
    expanded = 0
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib or gzip, as MetaIO takes both
    with header.data.open("rb") as file:
        file.seek(header.deflated_at)
        try:
            while not stream.eof and (block := stream.unconsumed_tail or file.read(2**20)):
                expanded += len(stream.decompress(block, 2**24))
                if expanded > header.nbytes:
                    break
        except zlib.error as error:
            raise CaseError(f"{path.name}: damaged voxels ({error}); copy the file again") from error
    if expanded != header.nbytes or not stream.eof:
        raise CaseError(
            f"{path.name}: damaged voxels, {header.nbytes} bytes expected, another number found; copy the file again"
        )


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """The fields of a header that are common to both formats, as text.

    Attributes:
        sizes: along every axis.
        type_name: of a voxel.
        data_file: that holds the voxels; None for the header's own.
        packing: "raw", "deflated" or "text".
        length: of the header in bytes.
        skips: whether bytes or lines are skipped before the voxels.
        fields: all fields, by the format's names.
    """

    sizes: str
    type_name: str
    data_file: str | None
    packing: str
    length: int
    skips: bool
    fields: dict[str, str]


def _check_length(path: Path, needed: int, stored: int) -> None:
    """Refuse excess voxels, too: they mean other sizes than the header's, which would shift every row."""
    if stored != needed:
        raise CaseError(f"{path.name}: {stored} bytes of voxels found, {needed} expected by its sizes; copy it again")


def _nrrd_layout(path: Path) -> _Layout:
    fields, length = nrrd_fields(path)
    space = fields.get("space", "").lower()
    if space and space not in _NRRD_SPACES:
        raise CaseError(
            f"{path.name}: space '{space[:40]}' does not refer to the patient's sides; save it as RAS or LPS"
        )
    if len(fields.get("sizes", "").split()) == 3 and "none" in fields.get("spacedirections", "").lower():
        raise CaseError(f"{path.name}: an axis without space direction found, three expected; repair the header")
    for field in ("space origin", "space directions"):
        _check_vectors(path, field, fields.get(field.replace(" ", ""), ""))
    packing = {"raw": "raw", "gz": "deflated", "gzip": "deflated"}.get(fields.get("encoding", "").lower(), "text")
    return _Layout(
        sizes=fields.get("sizes", ""),
        type_name=fields.get("type", ""),
        data_file=fields.get("datafile"),
        packing=packing,
        length=length,
        skips="lineskip" in fields or "byteskip" in fields,
        fields=fields,
    )


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


def _meta_layout(path: Path) -> _Layout:
    fields, length = meta_fields(path)
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise CaseError(f"{path.name}: several components per voxel found, one channel expected; give the image itself")
    packing = "raw"
    if fields.get("CompressedData", "").lower().startswith(("t", "1")):
        if "CompressedDataSize" not in fields and fields["ElementDataFile"] == "LOCAL":
            raise CaseError(
                f"{path.name}: compressed voxels without CompressedDataSize, which ITK needs to expand them; add their "
                "size in bytes to the header"
            )
        packing = "deflated"
    elif fields.get("BinaryData", "True").lower().startswith(("f", "0")):
        packing = "text"
    data_file = fields["ElementDataFile"]
    return _Layout(
        sizes=fields.get("DimSize", ""),
        type_name=fields.get("ElementType", ""),
        data_file=None if data_file == "LOCAL" else data_file,
        packing=packing,
        length=length,
        skips="HeaderSize" in fields,
        fields=fields,
    )


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
            f"{path.name}: shape {text} has several components or frames, one 3-D volume expected; save the one "
            "you want as a file"
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
