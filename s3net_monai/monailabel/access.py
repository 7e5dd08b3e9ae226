"""Who may talk to the served MONAI Label: programs and pages that have the token, under a name of this machine.

MONAI Label itself has no login but by a server for identities, and answers the pages of every origin. A page that is
open in the annotator's browser could read and delete images; so could other users of the machine.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from s3net_monai.monailabel.token import check_token

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "s3net_label"
# An address that another name resolves to, as in an attack by DNS rebinding, comes with that name as its host.
HOSTS = ("127.0.0.1", "localhost", "[::1]")


class RestrictAccess:
    """An ASGI application that passes on requests with the token, from this machine's own names and pages alone.

    The token is the first part of the path, so the address ``http://127.0.0.1:8000/TOKEN`` works as the server address
    of 3D Slicer, which can send no header with a download. It may also come as ``Authorization: Bearer TOKEN``. A
    browser that opens the address gets a cookie and is sent on to the address without it, where OHIF finds its files.
    The cookie holds another value, made from the token, that opens nothing as path or header: browsers send a cookie to
    every port of its host, where other users' servers may listen.

    No answer carries a header that lets a page of another origin read it.

    Args:
        application: MONAI Label.
        token: see ``check_token``.

    Raises:
        ValueError: for a token of another form.
    """

    def __init__(self, application: Application, token: str) -> None:
        self.application, self.token = application, check_token(token)
        self._cookie = hmac.new(token.encode(), COOKIE.encode(), "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        if scope["type"] != "http":  # MONAI Label has no WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _texts(scope["headers"])
        refusal = foreign(scope["scheme"], headers)
        if refusal:
            await _answer(send, 403, refusal)
        elif self._in_path(scope["path"]):
            if headers.get("sec-fetch-mode") == ["navigate"]:
                await _answer(send, 303, "", self._without_token(scope))
            else:
                await self.application({**_without_secrets(scope), "root_path": f"/{self.token}"}, receive, send)
        elif self._in_headers(headers):
            await self.application(_without_secrets(scope), receive, send)
        else:
            await _answer(send, 401, "The token is missing or wrong: use the address that the terminal shows.")

    def _in_path(self, path: str) -> bool:
        return _equal(path.lstrip("/").partition("/")[0], self.token)

    def _in_headers(self, headers: dict[str, list[str]]) -> bool:
        bearers = [value[7:] for value in headers.get("authorization", []) if value[:7].lower() == "bearer "]
        cookies = [part.strip() for value in headers.get("cookie", []) for part in value.split(";")]
        values = [cookie.partition("=")[2] for cookie in cookies if cookie.startswith(f"{COOKIE}=")]
        return any(_equal(value, self.token) for value in bearers) or any(
            _equal(value, self._cookie) for value in values
        )

    def _without_token(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        path = quote("/" + scope["path"].lstrip("/").partition("/")[2].lstrip("/"))
        query = scope["query_string"]
        return [
            (b"location", path.encode() + (b"?" + query if query else b"")),
            (b"set-cookie", f"{COOKIE}={self._cookie}; Path=/; HttpOnly; SameSite=Strict".encode()),
        ]


def foreign(scheme: str, headers: dict[str, list[str]]) -> str:
    """Return why a request is not from a program or page of this machine's own names; empty if it is.

    Browsers state the origin of a page with every request that could change something, and most of them the relation
    of page and server with every request. Programs state neither.

    Args:
        scheme: "http" or "https".
        headers: all values of every header, by its name in lower case.
    """
    hosts = headers.get("host", [])
    if len(hosts) != 1 or re.sub(r":\d+$", "", hosts[0].lower()) not in HOSTS:
        return "The host is not this machine: use http://127.0.0.1, or a tunnel to it."
    origins = headers.get("origin", [])
    if any(origin.lower() != f"{scheme}://{hosts[0].lower()}" for origin in origins):
        return "A page of another origin asked."
    if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
        return "A page of another site asked."
    return ""


def _equal(value: str, secret: str) -> bool:
    return hmac.compare_digest(value.encode(), secret.encode())


def _texts(headers: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, value in headers:
        texts.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return texts


def _without_secrets(scope: Scope) -> Scope:
    """Drop what MONAI Label would pass on to a DICOMweb server, the origin, to which it would reply, and the referer.

    The referer of a page whose address has the token has it too.
    """
    dropped = (b"authorization", b"cookie", b"origin", b"referer")
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]}


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = text.encode()
    length = (b"content-length", str(len(body)).encode())
    kind = (b"content-type", b"text/plain; charset=utf-8")
    fixed = [kind, length, (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
