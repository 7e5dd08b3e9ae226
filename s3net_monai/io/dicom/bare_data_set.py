"""DICOM data sets without preamble or file meta information, as some archives and old scanners store them.

PS3.10 section 7.1 demands both. A file without them is recognized by its first elements, and its transfer syntax
follows from how they are encoded.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from s3net_monai.io.dicom.uids import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from s3net_monai.utils.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

START_BYTES = 512  # of a file, which hold its first elements
FIRST_GROUPS = (0x0002, 0x0008)  # file meta information, and the general group with which every data set begins
MIN_ELEMENTS = 3  # in ascending order; other formats do not begin like that by chance
MAX_FIRST_LENGTH = 1024  # bytes of a value among the first elements: dates, UIDs and short texts
# Value representations of the first two groups (PS3.5 section 7.1.2), and those with a length of 32 bits.
SHORT_VRS = frozenset(b"AE AS CS DA DS DT IS LO LT PN SH ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OW SQ UN UT UC UR".split())


def starts_bare(start: bytes) -> bool:
    """Return whether the first ``START_BYTES`` of a file are elements of a data set, in any of three encodings."""
    return start[128:132] != b"DICM" and any(_count_elements(start, order) >= MIN_ELEMENTS for order in "<>")


def _count_elements(start: bytes, order: str) -> int:
    """Count the elements in ascending order from the first byte on, as far as they are plausible."""
    position, count, last = 0, 0, (0, -1)
    while position + 8 <= len(start):
        tag = struct.unpack_from(f"{order}HH", start, position)
        vr = start[position + 4 : position + 6]
        if (count == 0 and tag[0] not in FIRST_GROUPS) or tag <= last or tag[0] > 0x0020:
            break
        if vr in SHORT_VRS:
            length, header = struct.unpack_from(f"{order}H", start, position + 6)[0], 8
        elif vr in LONG_VRS and position + 12 <= len(start):
            length, header = struct.unpack_from(f"{order}L", start, position + 8)[0], 12
        elif order == "<":  # implicit value representation has this byte order only
            length, header = struct.unpack_from("<L", start, position + 4)[0], 8
        else:
            break
        if length > MAX_FIRST_LENGTH:  # also sequences of undefined length
            break
        position, count, last = position + header + length, count + 1, tag
    return count


def add_transfer_syntax(dataset: Dataset, name: str) -> None:
    """Give a data set that states no transfer syntax the one in which it was read.

    Raises:
        CaseError: if its pixel data is compressed, by a codec that nothing names.
    """
    from pydicom.uid import UID

    if "TransferSyntaxUID" in dataset.file_meta:  # an empty one is damage
        return
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise CaseError(
            f"{name}: compressed pixel data, but no file meta information that names the codec; export it again"
        )
    implicit, little = dataset.original_encoding
    explicit_uid = EXPLICIT_VR_LITTLE_ENDIAN if little else EXPLICIT_VR_BIG_ENDIAN
    dataset.file_meta.TransferSyntaxUID = UID(IMPLICIT_VR_LITTLE_ENDIAN if implicit else explicit_uid)
