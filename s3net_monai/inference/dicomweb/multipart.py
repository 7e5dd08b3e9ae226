"""Take the one DICOM file out of the answer to a retrieval (PS3.18 sections 8.6.1 and 10.4.3).

It goes from file to file, and never as a whole through memory.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.problems import ItemError

_HEAD_BYTES = 2**16  # of preamble and headers
_PADDING_BYTES = 128  # of white space after a boundary
_PADDING = rb"[ \t]{0,%d}" % _PADDING_BYTES


def write_only_part(body: IO[bytes], content_type: str, target: Path) -> None:
    """Write the only part of a multipart body to a file.

    Some servers send the part without the multipart around it, which is accepted.

    Args:
        body: of the answer.
        content_type: header of the answer.
        target: file to create.

    Raises:
        ItemError: if there is no part, more than one, or no delimiter that ends it.
        OSError: if the file cannot be written.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    media_type, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"")
    with target.open("wb") as output:
        if media_type == b"application/dicom":
            shutil.copyfileobj(body, output, limits.CHUNK_BYTES)
            return
        if media_type != b"multipart/related" or not boundary:
            raise ItemError("the answer is not of the media type multipart/related; see the server's log")

        marks: list[str] = []

        def begin() -> None:
            marks.append("part")
            if marks.count("part") > 1:
                raise ItemError("the answer has several parts, one image expected; see the server's log")

        def write(data: bytes, start: int, end: int) -> None:
            output.write(data[start:end])

        def finish() -> None:
            marks.append("end")

        parser = MultipartParser(boundary, {"on_part_begin": begin, "on_part_data": write, "on_end": finish})
        try:
            for chunk in _plain(body, boundary):
                parser.write(chunk)
        except FormParserError:
            raise ItemError("the multipart answer is damaged; see the server's log") from None
        if marks != ["part", "end"]:
            raise ItemError("the answer ends within the image; see the server's log")


def _plain(body: IO[bytes], boundary: bytes) -> Iterator[bytes]:
    """A multipart body without what RFC 2046 section 5.1.1 allows and ``python-multipart`` refuses.

    These are a preamble, white space after a boundary, and folded headers of the first part, whose headers are all left
    out: nothing here reads them. A body in which that part does not begin within ``_HEAD_BYTES`` is not changed.
    """
    data = body.read(_HEAD_BYTES)
    delimiter = b"--" + re.escape(boundary)
    first = re.search(rb"(?:\A|\r\n)" + delimiter + _PADDING + rb"(?=\r\n)", data)
    end_of_headers = data.find(b"\r\n\r\n", first.end()) if first else -1
    if end_of_headers >= 0:
        data = b"--" + boundary + data[end_of_headers:]
    padded = re.compile(rb"(\r\n" + delimiter + rb"(?:--)?)" + _PADDING + rb"(?=\r\n)")
    kept = len(boundary) + _PADDING_BYTES + 8  # the longest delimiter, which the next chunk may complete
    while chunk := body.read(limits.CHUNK_BYTES):
        data = padded.sub(rb"\1", data)
        yield data[:-kept]
        data = data[-kept:] + chunk
    yield padded.sub(rb"\1", data)
