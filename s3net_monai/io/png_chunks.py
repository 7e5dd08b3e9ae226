"""PNG files without the texts and profiles that change no pixel, but that Pillow refuses from a size on."""

from __future__ import annotations

from io import SEEK_SET, BytesIO
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEFT_OUT = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# Texts in which Pillow looks for the orientation.
_ORIENTATION = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")


def without_texts(file: BinaryIO, end: bytes = b"IEND") -> BinaryIO:
    """Return a PNG file without its texts and color profile, up to and with its first chunk of type ``end``.

    Nothing is checked: what is no chunk, and other formats, remain as they are.

    Args:
        file: at its beginning.
        end: "IDAT" for what an image of unread pixels needs; of that chunk the head alone is kept.
    """
    signature = file.read(len(_SIGNATURE))
    if signature != _SIGNATURE:
        file.seek(0, SEEK_SET)
        return file
    kept = BytesIO()
    kept.write(signature)
    while len(head := file.read(8)) == 8:
        kind = head[4:]
        if kind == end == b"IDAT":
            kept.write(head)
            break
        body = file.read(int.from_bytes(head[:4], "big") + 4)  # with the CRC
        if kind not in _LEFT_OUT or body.startswith(_ORIENTATION):
            kept.write(head + body)
        if kind == end:
            break
    kept.seek(0, SEEK_SET)
    return kept
