"""DICOM files that are opened once; those in the deflated transfer syntax are expanded to their end first.

pydicom takes what it can expand of a deflated data set (PS3.5 section A.5), also where its end is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from s3net_monai.io import limits
from s3net_monai.io.dicom.bare_data_set import LONG_VRS
from s3net_monai.io.dicom.uids import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from s3net_monai.io.expand import RAW_DEFLATE, expand
from s3net_monai.io.file_bytes import blocks_of, open_file
from s3net_monai.utils.errors import CaseError

_META_BYTES = 2**12  # that contain the transfer syntax, which stands among the first few hundred
_TRANSFER_SYNTAX_UID = (0x0002, 0x0010)


@contextmanager
def open_dicom(path: Path) -> Iterator[BinaryIO]:
    """Open a file at its first byte.

    Raises:
        CaseError: if it cannot be opened, is beyond the limits of ``io.limits``, changed while it was read, or if its
            deflated data set is damaged.
    """
    with open_file(path) as file:
        start = file.read(_META_BYTES)
        file.seek(0)
        if _meta_information(start)[0] != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            yield file
            return
        content = file.read()
        stream = BytesIO(content)
        stream.seek(_meta_information(content)[1])
        expanded = 0
        for block in expand(path.name, blocks_of(stream), RAW_DEFLATE):
            expanded += len(block)
            if expanded > limits.MAX_DEFLATED_BYTES:
                raise CaseError(
                    f"{path.name}: expands beyond the limit of {limits.MAX_DEFLATED_BYTES} bytes; store it uncompressed"
                )
        yield BytesIO(content)


def _meta_information(start: bytes) -> tuple[str, int]:
    """Return the transfer syntax that a file states, or an empty text, and where its data set begins.

    The file meta information is group 2, in explicit little endian (PS3.10 section 7.1). Its own length is not used,
    as pydicom does not use it either.
    """
    position = 132 if start[128:132] == b"DICM" else 0
    syntax = ""
    while position + 12 <= len(start):
        tag = struct.unpack_from("<HH", start, position)
        if tag[0] != _TRANSFER_SYNTAX_UID[0]:
            break
        if start[position + 4 : position + 6] in LONG_VRS:
            length, header = struct.unpack_from("<L", start, position + 8)[0], 12
        else:
            length, header = struct.unpack_from("<H", start, position + 6)[0], 8
        value = start[position + header : position + header + length]
        if tag == _TRANSFER_SYNTAX_UID:
            syntax = value.decode("latin-1").rstrip("\0 ")
        position += header + length
    return syntax, position
