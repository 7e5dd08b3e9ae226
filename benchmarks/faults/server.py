"""DICOMweb servers without end, each with a client of its own: memory, seconds and the error of the client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from benchmarks.faults import answers
from benchmarks.faults.answers import JSON, PART, Answer, item, listing

MAX_MEGABYTES = 200.0  # of the client, above its start
BOMB_BYTES = 2**30
CLIENT_SECONDS = 600.0  # after which it counts as one without an error
ROOT = Path(__file__).parents[2]
HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nX: "
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nTransfer-Encoding: chunked\r\n\r\n1"


def measure(
    folder: Path, *, names: Sequence[str] = (), seconds: float = 5.0, image_bytes: int = 2**31
) -> dict[str, Any]:
    """Let one client after the other fetch a study from a server without end.

    Args:
        folder: empty, for what the clients fetch.
        names: of scenarios; none means all.
        seconds: limit of the client for one listing; the other limits are those of the product.
        image_bytes: limit of the client for one image.

    Returns:
        ``tried`` and ``wrong`` scenarios, and ``kinds`` with megabytes, seconds and error line of each.
    """
    scenarios = {name: value for name, value in _scenarios().items() if not names or name in names}
    kinds = {
        name: _run(answer, folder / str(index), seconds, image_bytes)
        for index, (name, (answer, _)) in enumerate(scenarios.items())
    }
    wrong = [
        name
        for name, (_, expected) in scenarios.items()
        if expected not in kinds[name]["error"] or kinds[name]["megabytes"] > MAX_MEGABYTES
    ]
    return {"tried": len(kinds), "wrong": len(wrong), "kinds": kinds}


def _scenarios() -> dict[str, tuple[Answer, str]]:
    """Answer of the server and part of the client's error line, by name."""
    blank = [b" " * 2**16]
    too_large = "the answer has more than"
    late = "no complete answer within"
    no_json = "the response is not DICOM JSON"
    compressed = "the answer is compressed"
    zeros = partial(answers.compressed_zeros, BOMB_BYTES)
    return {
        "listing with one new series per page": (_one_more, "a listing does not end"),
        "listing of white space, no length": (lambda h: answers.endless(h, blank, JSON), too_large),
        "listing of white space, chunked": (lambda h: answers.endless_chunks(h, blank, JSON), too_large),
        "listing of one long text": (lambda h: _after(h, b'["', b"x" * 2**16), too_large),
        "listing of empty items": (lambda h: _after(h, b"[{}", b",{}" * 2**14), too_large),
        "whole listing of empty items": (lambda h: _full(h, b"[{}" + b",{}" * (20 * 2**20) + b"]"), no_json),
        "whole listing of one long text": (lambda h: _full(h, b'["' + b"x" * (60 * 2**20) + b'"]'), no_json),
        "whole listing of nested arrays": (lambda h: _full(h, b"[" * (30 * 2**20) + b"]" * (30 * 2**20)), no_json),
        "listing that expands to 1 GiB": (lambda h: _full(h, zeros(), Content_Encoding="gzip"), compressed),
        "listing, a byte at a time in the header": (lambda h: answers.drip(h, HEADER, 0.5), late),
        "listing, a byte at a time in the body": (lambda h: answers.drip(h, BODY, 0.5), late),
        "redirect with a body without end": (lambda h: _refuse(h, 302), "redirects to"),
        "busy with a body without end": (lambda h: _refuse(h, 503), "HTTP 503"),
        "image without end, no length": (_images(lambda h: answers.endless(h, [answers.BLOCK], PART)), too_large),
        "image without end, chunked": (_images(lambda h: answers.endless_chunks(h, [answers.BLOCK], PART)), too_large),
        "image that expands to 1 GiB": (
            _images(lambda h: answers.whole(h, zeros(), PART, Content_Encoding="gzip")),
            compressed,
        ),
    }


def _run(answer: Answer, folder: Path, seconds: float, image_bytes: int) -> dict[str, Any]:
    with answers.serving(answer) as url:
        command = [sys.executable, "-m", "benchmarks.faults.client", url, str(folder), str(seconds), str(image_bytes)]
        try:
            finished = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=CLIENT_SECONDS, cwd=ROOT
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return {"megabytes": -1.0, "seconds": -1.0, "error": f"none: {type(error).__name__}"}
    result: dict[str, Any] = json.loads(finished.stdout)
    return {**result, "error": result["error"].replace(url, "server")}


def _one_more(handler: BaseHTTPRequestHandler) -> None:
    offset = int((handler.path + "&offset=0").partition("offset=")[2].partition("&")[0])
    answers.whole(handler, listing(item(SeriesInstanceUID=f"1.2.9.{offset}", Modality="CT")))


def _full(handler: BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    answers.whole(handler, body, JSON, 200, **headers)


def _after(handler: BaseHTTPRequestHandler, first: bytes, block: bytes) -> None:
    answers.start(handler, JSON, Connection="close")
    handler.wfile.write(first)
    while True:
        handler.wfile.write(block)


def _refuse(handler: BaseHTTPRequestHandler, status: int) -> None:
    answers.start(handler, JSON, status, Location="http://other.example/", Connection="close")
    while True:
        handler.wfile.write(answers.BLOCK)


def _images(send: Callable[[BaseHTTPRequestHandler], None]) -> Answer:
    """An archive of one series with one image, which ``send`` sends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path.endswith("/studies"):
            answers.whole(handler, b"[]")
        elif path.endswith("/series"):
            answers.whole(handler, listing(item(SeriesInstanceUID="1.2.3.4", Modality="CT")))
        elif path.endswith("/instances"):
            answers.whole(handler, listing(item(SOPInstanceUID="1.2.3.4.5")))
        else:
            send(handler)

    return answer
