"""UIDs of PS3.6 annex A that are compared with headers, and the syntax of all UIDs.

Literals, since importing ``pydicom`` takes a second.
"""

from __future__ import annotations

import re
from typing import Any

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"  # the UIDs of enhanced and legacy converted CT begin with it, too
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and ".1" to ".4" for multi-frame secondary captures
VISIBLE_LIGHT = "1.2.840.10008.5.1.4.1.1.77.1."  # prefix of photography (.4), dermoscopy (.7), endoscopy, microscopy
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

MAX_UID_LENGTH = 64


def is_uid(value: Any) -> bool:
    """Return whether a value has the syntax of a UID (PS3.5 section 9.1).

    That is at most 64 characters of numbers with dots between them, without leading zeros.
    """
    component = "(0|[1-9][0-9]*)"
    return (
        isinstance(value, str)
        and len(value) <= MAX_UID_LENGTH
        and re.fullmatch(rf"{component}([.]{component})*", value) is not None
    )
