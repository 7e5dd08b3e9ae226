"""A web server on loopback whose answers have no end, come too slowly, or are not what was asked for."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = "application/dicom+json"
PART = 'multipart/related; type="application/dicom"; boundary=limit'
PART_HEAD = b"--limit\r\nContent-Type: application/dicom\r\n\r\n"
PART_TAIL = b"\r\n--limit--"
BLOCK = bytes(2**16)

Answer = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients hang up in the middle of an answer without end."""


@contextmanager
def serving(answer: Answer, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve GET, POST and CONNECT requests by ``answer``, each in a thread; yields the address of the root.

    Args:
        answer: called with the handler of every request, which it answers.
        host: address of this machine to listen on.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # header and body are sent one after the other

        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def do_CONNECT(self) -> None:
            answer(self)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = _Server(host, Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}/web"
    finally:
        server.shutdown()
        server.server_close()


def start(handler: BaseHTTPRequestHandler, content_type: str, status: int = 200, /, **headers: str) -> None:
    """Send status and header, without a length; underscores in names stand for hyphens."""
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def whole(
    handler: BaseHTTPRequestHandler, body: bytes, content_type: str = JSON, status: int = 200, /, **headers: str
) -> None:
    """Send a complete answer."""
    start(handler, content_type, status, Content_Length=str(len(body)), **headers)
    handler.wfile.write(body)


def endless(handler: BaseHTTPRequestHandler, blocks: Iterable[bytes], content_type: str, **headers: str) -> None:
    """Send blocks until the client hangs up, without a length."""
    start(handler, content_type, Connection="close", **headers)
    for block in itertools.cycle(blocks):
        handler.wfile.write(block)


def endless_chunks(handler: BaseHTTPRequestHandler, blocks: Iterable[bytes], content_type: str) -> None:
    """As ``endless``, in chunked transfer encoding."""
    start(handler, content_type, Transfer_Encoding="chunked")
    for block in itertools.cycle(blocks):
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))


def drip(handler: BaseHTTPRequestHandler, before: bytes, pause: float) -> None:
    """Send ``before``, and then one byte after each pause in seconds until the client hangs up."""
    handler.wfile.write(before)
    while True:
        time.sleep(pause)
        handler.wfile.write(b" ")


def item(**values: Any) -> dict[str, Any]:
    """Return a result of a search in DICOM JSON (PS3.18 annex F), by keywords."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    return {f"{tag_for_keyword(name):08X}": {"vr": dictionary_VR(name), "Value": [v]} for name, v in values.items()}


def listing(*items: dict[str, Any]) -> bytes:
    """Return a page of search results."""
    return json.dumps(items).encode()


def compressed_zeros(size: int) -> bytes:
    """Return that many bytes of zeros, a multiple of 16 MiB, as gzip of several members (RFC 1952 section 2.2)."""
    return gzip.compress(bytes(2**24)) * (size // 2**24)
