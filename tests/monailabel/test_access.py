"""Who may talk to the served MONAI Label, on an application that stands for it and needs no package."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from s3net_monai.monailabel.access import RestrictAccess
from s3net_monai.monailabel.token import VARIABLE, check_token

TOKEN = "a-token_of-the-tests"
COOKIE = hmac.new(TOKEN.encode(), b"s3net_label", hashlib.sha256).hexdigest()
ADDRESS = "127.0.0.1:8000"


@dataclass
class Answer:
    """What the client receives, and what the inner application was asked."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    inner: dict[str, Any] | None = None


def ask(path: str = f"/{TOKEN}/info/", method: str = "GET", host: str | None = ADDRESS, **headers: str) -> Answer:
    """Send a request; an underscore in the name of a header stands for a dash."""
    answer = Answer()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        answer.inner = dict(scope)
        allowed = [(b"access-control-allow-origin", b"*")] if b"origin" in dict(scope["headers"]) else []
        await send({"type": "http.response.start", "status": 200, "headers": allowed})
        await send({"type": "http.response.body", "body": b"images"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "scheme": "http",
        "method": method,
        "path": path,
        "query_string": b"a=1",
        "headers": [*([(b"host", host.encode())] if host else []), *sent],
    }
    asyncio.run(RestrictAccess(application, TOKEN)(scope, receive, send))
    return answer


def test_the_token_in_the_path_is_taken_off() -> None:
    answer = ask()
    assert (answer.status, answer.body) == (200, b"images")
    assert answer.inner is not None
    assert answer.inner["root_path"] == f"/{TOKEN}"
    assert answer.inner["path"] == f"/{TOKEN}/info/"  # ASGI: the path begins with root_path


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/", "/info/", "/datastore/image", "/another-token-of-some/info/", f"/{TOKEN[:-1]}/", f"/info/{TOKEN}/"]
)
def test_without_the_token_nothing_is_asked(path: str, method: str) -> None:
    answer = ask(path, method)
    assert (answer.status, answer.inner) == (401, None)
    assert b"token" in answer.body
    assert b"\n" not in answer.body


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"cookie": f"s3net_label={COOKIE}"},
        {"cookie": f"other=1; s3net_label={COOKIE}"},
    ],
)
def test_the_token_in_a_header_is_taken_and_not_passed_on(header: dict[str, str]) -> None:
    answer = ask("/info/", **header)
    assert answer.status == 200
    assert answer.inner is not None
    assert [name for name, _ in answer.inner["headers"]] == [b"host"]


def test_the_address_of_the_asking_page_is_not_passed_on() -> None:
    answer = ask(referer=f"http://{ADDRESS}/{TOKEN}/ohif/")
    assert answer.inner is not None
    assert not [value for _, value in answer.inner["headers"] if TOKEN.encode() in value]


def test_cookie_and_token_do_not_stand_for_each_other() -> None:
    """Browsers send a cookie to other ports of its host as well."""
    assert ask(f"/{COOKIE}/info/").status == 401
    assert ask("/info/", authorization=f"Bearer {COOKIE}").status == 401
    assert ask("/info/", cookie=f"s3net_label={TOKEN}").status == 401
    assert ask("/info/", cookie=f"s3net_label={COOKIE}").status == 200


@pytest.mark.parametrize(
    "header", [{"authorization": f"Basic {TOKEN}"}, {"cookie": f"x={TOKEN}"}, {"cookie": "s3net_label="}, {"x": TOKEN}]
)
def test_the_token_in_another_header_is_not(header: dict[str, str]) -> None:
    assert ask("/info/", **header).status == 401


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "header",
    [
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://localhost:8000"},
        {"origin": "https://127.0.0.1:8000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://attacker.example", "access_control_request_method": "DELETE"},
    ],
)
def test_pages_of_others_are_refused_even_with_the_token(header: dict[str, str], method: str) -> None:
    for path, proof in ((f"/{TOKEN}/datastore/image", {}), ("/datastore/image", {"cookie": f"s3net_label={COOKIE}"})):
        answer = ask(path, method, **header, **proof)
        assert (answer.status, answer.inner) == (403, None)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_second_origin_does_not_help() -> None:
    assert ask(origin=f"http://{ADDRESS}", Origin="http://attacker.example").status == 403


@pytest.mark.parametrize("header", [{"origin": f"http://{ADDRESS}"}, {"sec_fetch_site": "same-origin"}])
def test_the_servers_own_pages_are_answered_and_no_origin_is_allowed_to_read(header: dict[str, str]) -> None:
    answer = ask("/infer/lung", "POST", **header, cookie=f"s3net_label={COOKIE}")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9000", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_own_names_at_any_port_are_taken(host: str) -> None:
    """A tunnel may have another port."""
    assert ask(host=host).status == 200


@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1.attacker.example", "localhost.:8000", "127.0.0.1@x", "", None, "127.0.0.2"]
)
def test_other_names_are_refused(host: str | None) -> None:
    assert ask(host=host).status == 403


def test_two_hosts_are_refused() -> None:
    assert ask(Host="attacker.example").status == 403


def test_a_browser_gets_a_cookie_and_an_address_without_the_token() -> None:
    answer = ask(f"/{TOKEN}/ohif/", sec_fetch_mode="navigate", sec_fetch_site="none")
    assert (answer.status, answer.headers["location"]) == (303, "/ohif/?a=1")
    assert answer.headers["set-cookie"] == f"s3net_label={COOKIE}; Path=/; HttpOnly; SameSite=Strict"
    assert ask(f"/{TOKEN}//attacker.example/", sec_fetch_mode="navigate").headers["location"].startswith("/attacker")


def test_web_sockets_are_closed_and_the_life_of_the_server_is_not_its_guests() -> None:
    sent: list[Any] = []
    types: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        types.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    for kind in ("websocket", "lifespan"):
        asyncio.run(RestrictAccess(application, TOKEN)({"type": kind}, None, send))  # type: ignore[arg-type]
    assert types == ["lifespan"]
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("token", ["", "short", "with space in a token", "line-end-in-a-token\n", "ümlaut-in-a-token"])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(ValueError, match="S3NET_LABEL_TOKEN: 16 or more"):
        check_token(token)
    with pytest.raises(ValueError, match="S3NET_LABEL_TOKEN: 16 or more"):
        RestrictAccess(None, token)  # type: ignore[arg-type]


def printed_token(value: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "s3net_monai.monailabel.token"]
    return subprocess.run(command, env={**os.environ, VARIABLE: value}, capture_output=True, text=True, check=False)


def test_every_start_has_another_token_unless_one_is_set() -> None:
    first, second = (printed_token("").stdout.strip() for _ in range(2))
    assert check_token(first) != check_token(second)
    assert len(first) >= 32
    assert printed_token(TOKEN).stdout.strip() == TOKEN
    refused = printed_token("short")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("S3NET_LABEL_TOKEN: ")
