"""An end to the time that one request may take, whatever the server sends meanwhile.

Timeouts of sockets start again with every byte, so that a server that sends one byte a minute never meets them. Here a
timer cuts the connection: in the header, in the body, in a TLS handshake, at a proxy.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from s3net_monai.inference.dicomweb.interim import FinalResponse


class DeadlineError(Exception):
    """The time of a request is over; no error of a connection, so that urllib3 does not try again."""


class Deadline:
    """The time of the request that is running, and the connection to cut when it is over.

    Attributes:
        passed: whether it is over.
    """

    def __init__(self) -> None:
        self.passed = False
        self._handle: socket.socket | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection if the block takes longer than ``seconds``."""
        self.passed = False
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _expire(self) -> None:
        self.passed = True
        self.cut()

    def check(self) -> None:
        """Raise ``DeadlineError`` if the time is over."""
        if self.passed:
            raise DeadlineError

    def watch(self, connected: socket.socket) -> None:
        """Watch a new connection in place of the last one.

        A second handle of the same connection is kept. It cuts the connection also when the first one was wrapped, as
        for TLS, or was passed on to a response.
        """
        self.release()
        self._handle = connected.dup()
        if self.passed:
            self.cut()

    def cut(self) -> None:
        """End the connection; a read that waits for it ends as well."""
        if self._handle is not None:
            with suppress(OSError):  # it has ended
                self._handle.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Forget the connection."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def watched_pools(deadline: Deadline) -> dict[str, Any]:
    """Return pool classes by scheme, for ``urllib3.PoolManager``, whose connections ``deadline`` watches."""

    def watched(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
        class Connection(pool.ConnectionCls):  # type: ignore[name-defined]
            response_class = FinalResponse

            def _new_conn(self) -> socket.socket:
                deadline.check()
                connected: socket.socket = super()._new_conn()
                deadline.watch(connected)
                return connected

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    return {"http": watched(HTTPConnectionPool), "https": watched(HTTPSConnectionPool)}
