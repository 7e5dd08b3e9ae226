"""A TLS proxy in front of a local server, as nginx in a hospital: encrypted outside, the same bytes inside.

Debian's Orthanc 1.10.1 crashes at the first https request when it serves TLS itself, so it is tested behind a proxy, as
it is used in practice.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme


@contextmanager
def tls_front(url: str, folder: Path, host: str = "127.0.0.1") -> Iterator[tuple[str, Path]]:
    """Yield the https address of the server at ``url`` (http), and the file of the authority behind its certificate.

    The certificate is valid for ``host`` only; the proxy listens on 127.0.0.1.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    target = urlsplit(url)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(
            _copy_stream(reader, server_writer), _copy_stream(server_reader, writer), return_exceptions=True
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        start = asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
        server = asyncio.run_coroutine_threadsafe(start, loop).result(timeout=10)
        port = server.sockets[0].getsockname()[1]
        yield f"https://{host}:{port}{target.path}", folder / "authority.pem"
        loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


async def _copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
