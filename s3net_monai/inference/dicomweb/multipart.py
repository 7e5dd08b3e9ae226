"""Take the one DICOM file out of the answer to a retrieval (PS3.18 sections 8.6.1 and 10.4.3).

It goes from file to file, and never as a whole through memory.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.problems import ItemError


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
            while chunk := body.read(limits.CHUNK_BYTES):
                parser.write(chunk)
        except FormParserError:
            raise ItemError("the multipart answer is damaged; see the server's log") from None
        if marks != ["part", "end"]:
            raise ItemError("the answer ends within the image; see the server's log")
