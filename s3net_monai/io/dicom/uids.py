"""UIDs of PS3.6 annex A that are compared with headers; literals, since importing ``pydicom`` takes a second."""

from __future__ import annotations

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
