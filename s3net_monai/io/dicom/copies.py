"""Copies of one DICOM file among the files of a series: equal ones count once, unequal ones are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from s3net_monai.io.dicom.header import SliceHeader, is_image, read_integer
from s3net_monai.utils.errors import CaseError

BLOCK = 2**20  # bytes that are compared at a time
MAX_NAMED = 3  # copies that a note names


def drop_copies(headers: Sequence[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    """Return the headers of different files, and a note where copies of a file were left out.

    Files with one SOPInstanceUID are copies where their data sets are equal byte for byte. Some anonymizers give every
    slice the same SOPInstanceUID; such slices are kept, as their positions tell them apart.

    Raises:
        CaseError: if files with one SOPInstanceUID differ, so that nothing says which is the right one.
    """
    kept: list[SliceHeader] = []
    dropped: list[SliceHeader] = []
    # By position as well: copies have the same, and a thousand slices that share one UID are not all compared.
    by_uid: dict[str, dict[str, SliceHeader]] = {}
    for header in headers:
        uid = str(header.get("SOPInstanceUID") or "") if is_image(header) else ""
        if uid:
            first = by_uid.setdefault(uid, {}).setdefault(str(header.get("ImagePositionPatient")), header)
            if first is not header:
                if not are_copies(first.path, header.path):
                    raise _unequal_copies(first, header)
                dropped.append(header)
                continue
        kept.append(header)
    for versions in by_uid.values():
        if len(versions) > 1 and len(by_uid) > 1:
            raise _unequal_copies(*list(versions.values())[:2])
    if not dropped:
        return kept, []
    names = ", ".join(header.name for header in dropped[:MAX_NAMED]) + (", …" if len(dropped) > MAX_NAMED else "")
    count = sum(read_integer(header, "NumberOfFrames", 1) for header in dropped)
    return kept, [
        f"{count} image{'s' if count > 1 else ''} set aside as copies of others with the same content ({names})"
    ]


def _unequal_copies(first: SliceHeader, second: SliceHeader) -> CaseError:
    return CaseError(
        f"unequal copies: {first.name} and {second.name} share a SOPInstanceUID, but not their content; keep the right "
        "one"
    )


def are_copies(first: Path, second: Path) -> bool:
    """Return whether two DICOM files hold the same data set, byte for byte.

    The preamble and the file meta information are left aside: archives write their own.

    Raises:
        OSError: if a file cannot be read.
    """
    with first.open("rb") as one, second.open("rb") as other:
        one.seek(_data_set_offset(first))
        other.seek(_data_set_offset(second))
        while True:
            block = one.read(BLOCK)
            if block != other.read(BLOCK):
                return False
            if not block:
                return True


def _data_set_offset(path: Path) -> int:
    """Return where the data set begins: behind the file meta information, whose first element is its length."""
    with path.open("rb") as file:
        start = file.read(144)
    meta = 132 if start[128:132] == b"DICM" else 0
    if start[meta : meta + 8] != b"\x02\x00\x00\x00UL\x04\x00":  # PS3.10 section 7.1
        return meta
    return meta + 12 + int.from_bytes(start[meta + 8 : meta + 12], "little")
